"""Times of training steps, as the benchmarks for CPUs and GPUs need them."""

from __future__ import annotations

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
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.data.dataset import ImageDataset, batches, open_training_data
from crowdgan_stylegan3.training.data.sampler import ImageSampler
from crowdgan_stylegan3.training.runtime.cudnn import precision
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer

IMAGES = 256
"""Images of the made-up dataset."""

CLASSES = ("sparse", "medium", "dense")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is trained."""

    variant: str
    resolution: int
    channel_base: int
    batch: int
    batch_gpu: int
    r1_gamma: float | None = None
    workers: int = 1
    augment_p: float = 0.0
    """Probability of augmentations."""


def measure(case: Case, device: torch.device, steps: int) -> dict[str, Any]:
    """Seconds per thousand images with R1 at its interval, what the phases take, the share that waits for data."""
    with (
        made_up_dataset(case.resolution) as path,
        open_training_data(path, conditional=True) as data,
        precision(benchmark=True),
    ):
        choices = TrainOptions(
            variant=case.variant,  # type: ignore[arg-type]
            data=path,
            batch=case.batch,
            batch_gpu=case.batch_gpu,
            r1_gamma=case.r1_gamma,
            channel_base=case.channel_base,
            augment="fixed" if case.augment_p else "noaug",
            augment_p=case.augment_p or None,
        )
        settings = resolve_config(choices, resolution=data.resolution, label_dim=data.labels.dim)
        world = DistributedContext(device=device)
        learner = Trainer(
            settings,
            Networks.random(settings),
            world,
            batch_gpu=case.batch_gpu,
            labels=data.labels.vectors,
            classes=data.labels.classes,
        )
        order = ImageSampler(count=IMAGES, batch=case.batch, seed=0)
        supply = batches(ImageDataset(path, data.labels, mirror=False), order, workers=case.workers, device=device)
        for _ in range(2):  # kernels are built and chosen, pools of memory filled, R1 too
            learner.step_count = 0
            learner.step(next(supply))
        finish(learner)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        plain, waited = [], 0.0
        for step in range(steps + 1):
            learner.step_count = 0 if step == steps else 1  # the last one regularises
            started = time.perf_counter()
            batch = next(supply)
            waited += time.perf_counter() - started
            learner.step(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if step < steps:
                plain.append(time.perf_counter() - started)
        phases = {name: statistics.median(times) for name, times in learner.stopwatch.collect_ms().items()}
        lazy = [phase for phase in learner.phases if phase.interval > 1]
        per_step = statistics.median(plain) + sum(phases[phase.name] / 1000 / phase.interval for phase in lazy)
        found = {
            "sec_per_kimg": per_step / case.batch * 1000,
            "phases_ms": phases,
            "data_wait": waited / (steps + 1) / per_step,
        }
        if device.type == "cuda":
            found["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
        return found


def finish(learner: Trainer) -> None:
    """Waits for all that is under way, and forgets what was measured."""
    learner.statistics.collect(learner.world)
    learner.stopwatch.collect_ms()


@contextmanager
def made_up_dataset(side: int) -> Iterator[Path]:
    """A zip of images of smooth noise in three classes, without the time of making crowds."""
    form = ZipFormat()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.zip"
        with form.create(path, overwrite=False) as writer:
            records = []
            for number in range(IMAGES):
                name = writer.add(form.encode(smooth_noise(number, side)), (side, side))
                records.append(ImageRecord(name=name, label=number % len(CLASSES)))
            metadata = DatasetMetadata(classes=CLASSES, label_kind="class")
            writer.finish(metadata.with_images(records))
        yield path


def smooth_noise(seed: int, side: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))
