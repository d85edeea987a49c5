"""What a user chooses of a training run, checked before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.parallel import available_cpus
from crowdgan_stylegan3.config import Variant
from crowdgan_stylegan3.training.config.schedule import (
    OnNonFinite,
    ScheduleConfig,
    default_snapshot_ticks,
    default_tick_kimg,
)
from crowdgan_stylegan3.training.config.training_config import AugmentMode

AUTO_BATCH = 32
"""Images per step, the published batch."""

LARGEST_GROUP = 4
"""Images over which D takes the standard deviation, unless the batch does not allow it."""

MOST_WORKERS = 3
"""Processes that read images, unless there are fewer cores."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What a user chooses; None leaves it to the recipe."""

    variant: Variant = "stylegan3-t"
    """Kind of generator."""
    data: Path
    """The dataset."""
    conditional: bool | None = None
    """Whether labels are used; None for where the dataset has some."""
    mirror: bool = False
    """Whether images are also shown mirrored."""
    source: Path | None = None
    """Model to start from."""
    seed: int = 0
    """Decides all that is random."""
    gpus: int = 1
    """Processes that train together, each with a GPU."""
    batch: int | None = None
    """Images per step, over all GPUs."""
    batch_gpu: int | None = None
    """Images that one GPU takes at once."""
    r1_gamma: float | None = None
    """Weight of R1."""
    augment: AugmentMode = "ada"
    """Kind of augmentation."""
    augment_p: float | None = None
    """Probability of a fixed augmentation."""
    ada_target: float | None = None
    """Mean sign of D on real images that the adaptive augmentation keeps."""
    num_frozen: int = 0
    """Layers of D, from the image on, that are not trained."""
    channel_base: int = 32768
    """Capacity: channels times resolution."""
    channel_max: int = 512
    """Most channels of a layer."""
    generator_lr: float | None = None
    """Learning rate of G."""
    discriminator_lr: float = 0.002
    """Learning rate of D."""
    mapping_layers: int | None = None
    """Fully connected layers of the generator's mapping network."""
    group_size: int | None = None
    """Images over which D takes the standard deviation."""
    fp32: bool = False
    """Whether nothing is computed in half precision."""
    total_kimg: float = 25_000.0
    """Thousands of images to train on."""
    tick_kimg: float | None = None
    """Thousands of images between status lines."""
    snapshot_ticks: int | None = None
    """Status lines between snapshots."""
    checkpoint_minutes: float = 15.0
    """Longest time between checkpoints."""
    workers: int | None = None
    """Processes that read images ahead; 0 for none."""
    on_non_finite: OnNonFinite = "stop"
    """What to do when a loss is not finite."""
    benchmark: bool = True
    """Whether cuDNN tries which convolutions are fastest."""

    def __post_init__(self) -> None:
        _check_batches(self)
        if self.augment == "fixed" and self.augment_p is None:
            raise ConfigError("--aug fixed needs --p, the probability, for example --p 0.2")
        if self.augment_p is not None and self.augment != "fixed":
            raise ConfigError(f"--p goes with --aug fixed; with --aug {self.augment} leave it out")
        if self.ada_target is not None and self.augment != "ada":
            raise ConfigError(f"--target goes with --aug ada; with --aug {self.augment} leave it out")
        if self.num_frozen and self.source is None:
            raise ConfigError("--freezed keeps layers of a trained model as they are: it needs --resume MODEL")
        self.schedule(batch_gpu=1)  # checks its numbers

    @property
    def batch_or_auto(self) -> int:
        """Images per step, over all GPUs."""
        if self.batch is not None:
            return self.batch
        share = self.gpus * (self.batch_gpu or self.group_size or LARGEST_GROUP)
        return share * math.ceil(AUTO_BATCH / share)

    @property
    def per_gpu(self) -> int:
        """Images per step and GPU."""
        return self.batch_or_auto // self.gpus

    @property
    def group(self) -> int:
        """Images over which D takes the standard deviation."""
        if self.group_size is not None:
            return self.group_size
        at_once = self.batch_gpu or self.per_gpu
        return max(size for size in range(1, LARGEST_GROUP + 1) if at_once % size == 0)

    @property
    def possible_batch_gpu(self) -> list[int]:
        """Images that one GPU may take at once, the most first."""
        if self.batch_gpu is not None:
            return [self.batch_gpu]
        return [n for n in range(self.per_gpu, 0, -1) if self.per_gpu % n == 0 and n % self.group == 0]

    def schedule(self, *, batch_gpu: int) -> ScheduleConfig:
        """When the run ends and what it does meanwhile."""
        tick = default_tick_kimg(self.total_kimg) if self.tick_kimg is None else self.tick_kimg
        return ScheduleConfig(
            total_kimg=self.total_kimg,
            tick_kimg=tick,
            snapshot_ticks=default_snapshot_ticks(tick) if self.snapshot_ticks is None else self.snapshot_ticks,
            checkpoint_minutes=self.checkpoint_minutes,
            batch_gpu=batch_gpu,
            workers=min(MOST_WORKERS, available_cpus() - 1) if self.workers is None else self.workers,
            on_non_finite=self.on_non_finite,
            benchmark=self.benchmark,
        )

    def to_json(self) -> dict[str, Any]:
        """The choices as JSON-ready values."""
        paths = {"data": str(self.data), "source": None if self.source is None else str(self.source)}
        return {**asdict(self), **paths}

    @classmethod
    def from_json(cls, data: Any, changed: Mapping[str, Any]) -> TrainOptions:
        """Recorded choices, but for those that are changed.

        Raises:
            ConfigError: these are no choices.
        """
        try:
            values = {**data, "data": Path(data["data"]), "source": data["source"] and Path(data["source"])}
            return cls(**{**values, **changed})
        except (TypeError, KeyError) as error:
            raise ConfigError(f"these are no options of a training run ({error})") from error


def _check_batches(choices: TrainOptions) -> None:
    """Checks that batches divide into one another.

    Raises:
        ConfigError: they do not; the message says which numbers would.
    """
    for name in ("gpus", "batch", "batch_gpu", "group_size"):
        value = getattr(choices, name)
        if value is not None and value < 1:
            option = "mbstd-group" if name == "group_size" else name.replace("_", "-")
            raise ConfigError(f"--{option} is {value}; it must be at least 1")
    batch, gpus, at_once = choices.batch_or_auto, choices.gpus, choices.batch_gpu
    if batch % gpus:
        raise ConfigError(f"--batch {batch} cannot be divided among {gpus} GPUs; {_multiples(batch, gpus)} would work")
    if at_once is not None and batch % (gpus * at_once):
        share = f"{gpus} x --batch-gpu {at_once}" if gpus > 1 else f"--batch-gpu {at_once}"
        raise ConfigError(f"--batch {batch} is no multiple of {share}; {_multiples(batch, gpus * at_once)} would work")
    what, value = ("the batch per GPU", choices.per_gpu) if at_once is None else ("--batch-gpu", at_once)
    if value % choices.group:
        would = ", ".join(str(size) for size in range(1, value + 1) if value % size == 0)
        raise ConfigError(f"--mbstd-group {choices.group} does not divide {what}, {value}; {would} would")


def _multiples(value: int, of: int) -> str:
    """The multiples of a number that are nearest to a value, in words."""
    below, above = value // of * of, (value // of + 1) * of
    return f"{below} or {above}" if below else str(above)
