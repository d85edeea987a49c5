"""Estimates of the memory and time of training: memory from layer sizes, time from one measured training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.cgroup import available_memory_bytes
from crowdgan_core.utils.formatting import format_duration
from crowdgan_stylegan3.networks.discriminator import Conv, Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyledConv, StyledToRgb
from crowdgan_stylegan3.networks.synthesis_stylegan3 import AliasFreeLayer
from crowdgan_stylegan3.training.config.schedule import ScheduleConfig
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.reporting.ticks import GIB_BYTES
from crowdgan_stylegan3.training.runtime.cudnn import cudnn_flags
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer

CONVOLUTION_LAYERS = (AliasFreeLayer, StyledConv, StyledToRgb, Conv)
"""Modules whose inputs and outputs are kept for the backward pass."""

ACTIVATION_FACTOR = 2.5
"""Ratio of the activation memory of training to the inputs and outputs of these layers (ours: measured 1.3 to 2.9)."""

PROCESS_OVERHEAD_BYTES = 0.5 * GIB_BYTES
"""Memory of a process before training (ours: measured)."""

WEIGHT_COPIES = 9
"""Copies of the weights of G and D together: G with EMA weights, each network with gradients and two Adam moments, and
a buffer for the exchange of gradients."""

USABLE_MEMORY_FRACTION = 0.8
"""Fraction of the free memory that training may use."""

PROBE_BATCH = 4
"""Batch size of the measured training step."""

DEFAULT_FREE_BYTES = 8 * GIB_BYTES
"""Assumed free memory on operating systems other than Linux."""


@dataclass(frozen=True, kw_only=True)
class ResourceEstimate:
    """Estimated memory and time of a run."""

    memory_bytes: float
    """Memory of one process."""
    sec_per_kimg: float
    """Seconds per thousand images."""
    total_kimg: float
    """Training length in kimg."""

    def describe(self) -> str:
        """The estimate in one line."""
        duration = format_duration(self.sec_per_kimg * self.total_kimg)
        return (
            f"about {self.memory_bytes / GIB_BYTES:.1f} GiB of memory per process, {self.sec_per_kimg:.3g} s per kimg, "
            f"{duration} for {self.total_kimg:g} kimg"
        )


def activation_bytes(config: TrainingConfig) -> float:
    """Activation memory of one image in bytes: the larger of G's loss (through G and D) and R1 (twice through D).

    The networks are evaluated on the meta device, which yields the shapes of all layers without computing them.
    """
    generator, discriminator = _meta_networks(config)
    z = torch.empty(1, config.generator.z_dim, device="meta")
    labels = torch.empty(1, config.generator.label_dim, device="meta")
    with torch.no_grad():
        generator_bytes, image = _layer_bytes(generator, z, labels)
        discriminator_bytes, _ = _layer_bytes(discriminator, image, labels)
    return ACTIVATION_FACTOR * max(generator_bytes + discriminator_bytes, 2 * discriminator_bytes)


def state_bytes(config: TrainingConfig) -> float:
    """Memory in bytes of the weights, EMA weights, gradients and optimizer state."""
    num_weights = sum(parameter.numel() for network in _meta_networks(config) for parameter in network.parameters())
    return WEIGHT_COPIES / 2 * num_weights * torch.float32.itemsize


def choose_micro_batch(config: TrainingConfig, candidates: Sequence[int], context: DistributedContext) -> int:
    """The largest micro-batch size that fits in the free memory of every rank.

    Args:
        config: config of the run.
        candidates: possible micro-batch sizes, in descending order; a single one is returned unchecked.
        context: the ranks.

    Raises:
        ConfigError: not even the smallest candidate fits.
    """
    if len(candidates) == 1:
        return candidates[0]
    return context.all_reduce_min(context.run_together(lambda: _largest_feasible(config, candidates, context.device)))


def _largest_feasible(config: TrainingConfig, candidates: Sequence[int], device: torch.device) -> int:
    """The largest micro-batch size that fits in the free memory of this rank.

    Raises:
        ConfigError: not even the smallest candidate fits.
    """
    image_bytes = activation_bytes(config)
    available_bytes = USABLE_MEMORY_FRACTION * free_bytes(device) - state_bytes(config)
    feasible = [size for size in candidates if size * image_bytes <= available_bytes]
    if not feasible:
        smallest = candidates[-1]
        needed_bytes = smallest * image_bytes + state_bytes(config)
        raise ConfigError(
            f"a micro-batch of {smallest} images needs about {needed_bytes / GIB_BYTES:.1f} GiB of memory and "
            f"{free_bytes(device) / GIB_BYTES:.1f} GiB are free; reduce --cbase or --cmax, "
            f"or set --batch-gpu {smallest} to try it anyway"
        )
    return feasible[0]


def estimate_resources(
    config: TrainingConfig, schedule: ScheduleConfig, labels: TrainingLabels, context: DistributedContext, *, gpus: int
) -> ResourceEstimate:
    """Estimates memory and time of a run from one measured training step after a warm-up step.

    Args:
        config: config of the run.
        schedule: length and micro-batch size of the run.
        labels: labels of the dataset.
        context: context of this process.
        gpus: number of GPUs of the run.
    """
    group_size = config.discriminator.group_size
    batch = max(min(PROBE_BATCH, schedule.batch_gpu) // group_size, 1) * group_size
    probe = replace(config, batch=batch)
    trainer = Trainer(probe, Networks.random(probe), context, batch_gpu=batch, labels=labels)
    side = config.generator.resolution
    images = torch.zeros(batch, 3, side, side, dtype=torch.uint8)
    image_labels = torch.from_numpy(labels.vectors[:1].repeat(batch, 0))
    with cudnn_flags(benchmark=schedule.benchmark):
        for _ in range(2):
            trainer.timer.collect_ms()
            trainer.step_count = 0  # every regularisation is due at step 0
            trainer.step((images, image_labels))
            trainer.statistics.collect(context)
    times_ms = trainer.timer.collect_ms()
    step_s = sum(sum(times_ms[name]) / 1000 / interval for name, interval in trainer.update_intervals.items())
    return ResourceEstimate(
        memory_bytes=PROCESS_OVERHEAD_BYTES + state_bytes(config) + schedule.batch_gpu * activation_bytes(config),
        sec_per_kimg=step_s / batch * 1000 / gpus,
        total_kimg=schedule.total_kimg,
    )


def free_bytes(device: torch.device) -> float:
    """Free memory in bytes of a GPU, or of the host for a CPU."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        available_bytes = _host_available_bytes()
    except (OSError, LookupError, ValueError):  # not Linux
        return DEFAULT_FREE_BYTES
    return min(available_bytes, available_memory_bytes())


def _host_available_bytes() -> float:
    """Available memory of a Linux host in bytes, including its page cache."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return float(lines["MemAvailable"].split()[0]) * 1024


def _meta_networks(config: TrainingConfig) -> tuple[Generator, Discriminator]:
    """Generator and discriminator on the meta device, including their buffers."""
    with torch.device("meta"):
        generator, discriminator = Generator(config.generator), Discriminator(config.discriminator)
    return generator.to("meta"), discriminator.to("meta")


def _layer_bytes(network: nn.Module, *inputs: Tensor) -> tuple[float, Tensor]:
    """Bytes of the inputs and outputs of all convolution layers in one pass, and the output of the network."""
    total_bytes = 0.0

    def add_layer(module: nn.Module, layer_inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total_bytes
        element_bytes = 2 if getattr(module, "is_half", False) else 4
        total_bytes += element_bytes * (layer_inputs[0].numel() + output.numel())

    modules = (module for module in network.modules() if isinstance(module, CONVOLUTION_LAYERS))
    hooks = [module.register_forward_hook(add_layer) for module in modules]
    output: Tensor = network(*inputs)
    for hook in hooks:
        hook.remove()
    return total_bytes, output
