"""Times of training steps, for the CPU and GPU benchmarks."""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.testing import write_dataset
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.data.dataset import ImageDataset, TrainingData, load_batches, open_training_data
from crowdgan_stylegan3.training.data.label_sampling import DatasetLabelSampler
from crowdgan_stylegan3.training.data.sampler import ImageSampler
from crowdgan_stylegan3.training.runtime.cudnn import cudnn_flags
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer

NUM_IMAGES = 256
"""Number of images of the synthetic dataset."""

CLASSES = ("sparse", "medium", "dense")


@dataclass(frozen=True, kw_only=True)
class TrainingCase:
    """Options of a training run to measure."""

    variant: str
    resolution: int
    channel_base: int
    batch: int
    batch_gpu: int
    r1_gamma: float | None = None
    workers: int = 1
    augment_p: float = 0.0
    """Augmentation probability."""


def measure_training(
    case: TrainingCase, device: torch.device, num_steps: int, *, num_warm_up_steps: int = 2, regularise: bool = True
) -> dict[str, Any]:
    """Times of training steps, fraction of time spent waiting for data, and peak memory in GiB.

    Keys are `step_s`, seconds per step without regularisation; `sec_per_kimg`, with lazy regularisation at its
    interval; `phases_ms`, milliseconds per update; `data_wait`; and `peak_gib`, of the device on a GPU, otherwise of
    the process.

    Args:
        case: options of the run.
        device: device of the networks.
        num_steps: steps to measure without regularisation; times are medians.
        num_warm_up_steps: steps before the measurement, in which kernels are compiled and selected and memory is
            allocated.
        regularise: whether to measure regularisation too; otherwise `sec_per_kimg` does not include it.
    """
    with (
        noise_dataset(case.resolution) as path,
        open_training_data(path, conditional=True) as data,
        cudnn_flags(benchmark=True),
        load_batches(
            ImageDataset(path, NUM_IMAGES),
            ImageSampler(labels=DatasetLabelSampler(data.labels.vectors), mirror=False, batch=case.batch, seed=0),
            workers=case.workers,
            device=device,
        ) as batches,
    ):
        trainer = create_trainer(case, path, data, device)
        for _ in range(num_warm_up_steps):
            trainer.step_count = 0 if regularise else 1
            trainer.step(next(batches))
        discard_measurements(trainer)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        step_times_s, wait_s = [], 0.0
        for step in range(num_steps + regularise):
            trainer.step_count = 0 if step == num_steps else 1  # regularisation in the last step only
            start = time.perf_counter()
            batch = next(batches)
            wait_s += time.perf_counter() - start
            trainer.step(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if step < num_steps:
                step_times_s.append(time.perf_counter() - start)
        update_ms = {name: statistics.median(times) for name, times in trainer.timer.collect_ms().items()}
        intervals = {name: interval for name, interval in trainer.update_intervals.items() if interval > 1}
        lazy_s = sum(update_ms.get(name, 0.0) / 1000 / interval for name, interval in intervals.items())
        step_s = statistics.median(step_times_s)
        return {
            "step_s": step_s,
            "sec_per_kimg": (step_s + lazy_s) / case.batch * 1000,
            "phases_ms": update_ms,
            "data_wait": wait_s / (num_steps + regularise) / (step_s + lazy_s),
            "peak_gib": _peak_memory_bytes(device) / 2**30,
        }


def _peak_memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def create_trainer(case: TrainingCase, path: Path, data: TrainingData, device: torch.device) -> Trainer:
    """A trainer with random networks."""
    options = TrainOptions(
        variant=case.variant,  # type: ignore[arg-type]
        data=path,
        batch=case.batch,
        batch_gpu=case.batch_gpu,
        r1_gamma=case.r1_gamma,
        channel_base=case.channel_base,
        augment="fixed" if case.augment_p else "noaug",
        augment_p=case.augment_p or None,
    )
    config = resolve_config(options, resolution=data.resolution, label_dim=data.labels.dim)
    return Trainer(
        config,
        Networks.random(config),
        DistributedContext(device=device),
        batch_gpu=case.batch_gpu,
        labels=data.labels,
    )


def discard_measurements(trainer: Trainer) -> None:
    """Waits for pending work and resets statistics and timers."""
    trainer.statistics.collect(trainer.context)
    trainer.timer.collect_ms()


@contextmanager
def noise_dataset(side_px: int) -> Iterator[Path]:
    """A ZIP dataset of smooth noise images in three classes, which is created faster than synthetic crowds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.zip"
        records = [ImageRecord(name="", label=index % len(CLASSES)) for index in range(NUM_IMAGES)]
        metadata = DatasetMetadata(classes=CLASSES, label_kind="class", images=records)
        write_dataset(ZipFormat(), path, (smooth_noise(index, side_px) for index in range(NUM_IMAGES)), metadata)
        yield path


def smooth_noise(seed: int, side_px: int) -> ImageArray:
    """Noise of 8x8 samples, interpolated to an image."""
    samples = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(samples).resize((side_px, side_px), Image.Resampling.BICUBIC))
