"""What training takes: memory by the sizes of the layers, time by a step that is measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.formatting import format_duration
from crowdgan_stylegan3.networks.discriminator import Conv, Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyledConv, StyledToRgb
from crowdgan_stylegan3.networks.synthesis_stylegan3 import AliasFreeLayer
from crowdgan_stylegan3.training.config.schedule import ScheduleConfig
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.reporting.ticks import GIB
from crowdgan_stylegan3.training.runtime.cudnn import precision
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer

LAYERS = (AliasFreeLayer, StyledConv, StyledToRgb, Conv)
"""Modules whose inputs and results training keeps."""

KEPT_PER_LAYER = 2.5
"""Bytes that training keeps over those of the layers' inputs and results: 1.3 to 2.9 were measured."""

PROCESS_BYTES = 0.5 * GIB
"""What a process takes before it trains."""

STATE_COPIES = 9
"""Copies of the weights: G with its average, gradients and two moments each, and room for an exchange."""

USABLE_SHARE = 0.8
"""Share of the free memory that is counted with."""

PROBE = 4
"""Images of the measured step."""

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where Linux tells the limits of a container."""

UNKNOWN_MEMORY_BYTES = 8 * GIB
"""Free memory where the system does not tell it."""


@dataclass(frozen=True, kw_only=True)
class ResourceEstimate:
    """What training takes."""

    memory_bytes: float
    """Of one process."""
    sec_per_kimg: float
    total_kimg: float

    def describe(self) -> str:
        """In one line."""
        hours = format_duration(self.sec_per_kimg * self.total_kimg)
        return (
            f"about {self.memory_bytes / GIB:.1f} GiB of memory per process, {self.sec_per_kimg:.3g} s per kimg, "
            f"{hours} for {self.total_kimg:g} kimg"
        )


def activation_bytes(settings: TrainingConfig) -> float:
    """Bytes that one image takes in training: in G's turn, through D, or in D's, twice for R1.

    The networks run without data, which tells the sizes of all layers' inputs and results.
    """
    generator, discriminator = _without_data(settings)
    z = torch.empty(1, settings.generator.z_dim, device="meta")
    labels = torch.empty(1, settings.generator.label_dim, device="meta")
    with torch.no_grad():
        of_generator, image = _layer_bytes(generator, z, labels)
        of_discriminator, _ = _layer_bytes(discriminator, image, labels)
    return KEPT_PER_LAYER * max(of_generator + of_discriminator, 2 * of_discriminator)


def state_bytes(settings: TrainingConfig) -> float:
    """Bytes of the weights with all that is kept per weight."""
    weights = sum(parameter.numel() for network in _without_data(settings) for parameter in network.parameters())
    return STATE_COPIES / 2 * weights * torch.float32.itemsize


def choose_micro_batch(settings: TrainingConfig, possible: Sequence[int], world: DistributedContext) -> int:
    """The largest of the possible numbers of images at once that the free memory of every process holds.

    Raises:
        ConfigError: not even the smallest fits.
    """
    if len(possible) == 1:
        return possible[0]
    room = USABLE_SHARE * free_bytes(world.device) - state_bytes(settings)
    each = activation_bytes(settings)
    fitting = [count for count in possible if count * each <= room]
    if not fitting:
        fewest, needed = possible[-1], possible[-1] * each + state_bytes(settings)
        raise ConfigError(
            f"{fewest} images at once take about {needed / GIB:.1f} GiB; "
            f"{free_bytes(world.device) / GIB:.1f} GiB are free; a lower --cbase or --cmax takes less, "
            f"--batch-gpu {fewest} tries it all the same"
        )
    return world.smallest(fitting[0])


def estimate_resources(
    settings: TrainingConfig, schedule: ScheduleConfig, labels: TrainingLabels, world: DistributedContext, *, gpus: int
) -> ResourceEstimate:
    """What a run takes, by one step that is measured after another that is not."""
    count = min(PROBE, schedule.batch_gpu)
    group = settings.discriminator.group_size
    count = max(count // group, 1) * group
    probe = replace(settings, batch=count)
    learner = Trainer(
        probe, Networks.random(probe), world, batch_gpu=count, labels=labels.vectors, classes=labels.classes
    )
    side = settings.generator.resolution
    images = torch.zeros(count, 3, side, side, dtype=torch.uint8)
    batch = images, torch.from_numpy(labels.vectors[:1].repeat(count, 0))
    with precision(benchmark=schedule.benchmark):
        for _ in range(2):
            learner.stopwatch.collect_ms()
            learner.step_count = 0  # all phases take their turn
            learner.step(batch)
            learner.statistics.collect(world)
    times = learner.stopwatch.collect_ms()
    step_s = sum(sum(times[phase.name]) / 1000 / phase.interval for phase in learner.phases)
    return ResourceEstimate(
        memory_bytes=PROCESS_BYTES + state_bytes(settings) + schedule.batch_gpu * activation_bytes(settings),
        sec_per_kimg=step_s / count * 1000 / gpus,
        total_kimg=schedule.total_kimg,
    )


def free_bytes(device: torch.device) -> float:
    """Free memory where a process computes."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        available = _available_bytes()
    except (OSError, LookupError, ValueError):  # another system than Linux
        return UNKNOWN_MEMORY_BYTES
    return min(available, _container_bytes())


def _available_bytes() -> float:
    """What Linux can hand out, its page cache included."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return float(lines["MemAvailable"].split()[0]) * 1024


def _container_bytes() -> float:
    """What a container may still take; infinite where there is no limit."""
    try:
        limit, used = (int((CONTROL_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no such group, or "max"
        return math.inf
    return float(limit - used)


def _without_data(settings: TrainingConfig) -> tuple[Generator, Discriminator]:
    """The networks on PyTorch's meta device, their filters too."""
    with torch.device("meta"):
        networks = Generator(settings.generator), Discriminator(settings.discriminator)
    return networks[0].to("meta"), networks[1].to("meta")


def _layer_bytes(network: nn.Module, *inputs: Tensor) -> tuple[float, Tensor]:
    """Bytes of the inputs and results of a network's convolutions in one pass, and its result."""
    total = 0.0

    def note(module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal total
        size = 2 if getattr(module, "is_half", False) else 4
        total += size * (given[0].numel() + result.numel())

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, LAYERS)]
    result: Tensor = network(*inputs)
    for hook in hooks:
        hook.remove()
    return total, result
