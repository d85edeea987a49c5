"""Options of a training run, set by the user: their names, defaults and help texts are defined only in this module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError
from crowdgan_core.io import codec
from crowdgan_core.utils.cpus import available_cpus
from crowdgan_core.utils.flags import flag
from crowdgan_stylegan3.config import Variant
from crowdgan_stylegan3.training.config.schedule import (
    OnNonFinite,
    ScheduleConfig,
    default_snapshot_ticks,
    default_tick_kimg,
)
from crowdgan_stylegan3.training.config.training_config import AugmentMode, Vicinity

AUTO_BATCH = 32
"""Batch size without `--batch`, the published one."""

MAX_GROUP_SIZE = 4
"""Group size of the minibatch standard deviation, unless the batch size does not allow it."""

NO_METRICS = "none"
"""Value of `--metrics` without metrics."""

MAX_WORKERS = 3
"""Data-loading processes, unless there are fewer cores."""


def parse_transition(text: str) -> tuple[float, float]:
    """Start and end in kimg of a text START,END.

    Raises:
        ValueError: the text has another form.
    """
    try:
        start, end = map(float, text.split(","))
    except ValueError:
        raise ValueError(f"{text} is not START,END; write two numbers in kimg, for example 50,100") from None
    return start, end


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a training run; None leaves the value to the recipe.

    Raises:
        ConfigError: options that contradict one another.
    """

    data: Path = flag("--data", required_when="for a new run", help="Dataset: {dataset_formats}.")
    variant: Variant = flag("--cfg", default="stylegan3-t", help="Generator architecture.")
    gpus: int = flag("--gpus", default=1, min=1, help="GPUs on this machine, one process each.")
    batch: int | None = flag("--batch", auto=True, help="Batch size over all GPUs.")
    r1_gamma: float | None = flag(
        "--gamma", auto=True, help="R1 penalty weight; auto depends on resolution and batch size."
    )
    conditional: bool | None = flag(
        "--cond", default=None, shown_default="if the dataset has labels", help="Condition on labels."
    )
    vicinity: Vicinity | None = flag(
        "--vicinity",
        default=None,
        metadata=codec.omitted_default(),
        shown_default="hard for densities as labels",
        help="Vicinity from which D takes images for a density (CcGAN).",
    )
    balance_classes: bool = flag(
        "--balance", default=False, metadata=codec.omitted_default(), help="Show all classes equally often."
    )
    transition_kimg: tuple[float, float] | None = flag(
        "--transition",
        default=None,
        metadata=codec.omitted_default(),
        parse=parse_transition,
        metavar="START,END",
        help="Start without labels; their influence rises from START to END (kimg).",
    )
    mirror: bool = flag("--mirror", default=False, help="Augment the dataset with horizontal flips.")
    augment: AugmentMode = flag(
        "--aug", default="ada", help="Discriminator augmentation: none, adaptive (ADA) or fixed."
    )
    path_length_weight: float | None = flag(
        "--pl-weight",
        default=None,
        metadata=codec.omitted_default(),
        min=0,
        shown_default="0; stylegan2: 2",
        help="Path length penalty weight; 0 makes training faster.",
    )
    style_mixing: float | None = flag(
        "--style-mixing",
        default=None,
        metadata=codec.omitted_default(),
        min=0,
        max=1,
        shown_default="0; stylegan2: 0.9",
        help="Probability of style mixing.",
    )
    num_frozen: int = flag(
        "--freezed", default=0, min=0, help="Number of discriminator layers to freeze, from the input."
    )
    augment_p: float | None = flag("--p", default=None, min=0, max=1, help="Augmentation probability with --aug fixed.")
    ada_target: float | None = flag(
        "--target", default=None, shown_default="0.6", help="ADA target: mean sign of D on real images."
    )
    batch_gpu: int | None = flag(
        "--batch-gpu", auto=True, help="Micro-batch size per GPU; auto is the largest that fits in memory."
    )
    channel_base: int = flag(
        "--cbase", default=32768, help="Channel base: channels per layer are cbase / sampling rate."
    )
    channel_max: int = flag("--cmax", default=512, help="Maximum number of channels per layer.")
    generator_lr: float | None = flag(
        "--glr", default=None, shown_default="0.0025; stylegan2: 0.002", help="Learning rate of G."
    )
    discriminator_lr: float = flag("--dlr", default=0.002, help="Learning rate of D.")
    mapping_layers: int | None = flag(
        "--map-depth", default=None, shown_default="2; stylegan2: 8", help="Number of mapping layers."
    )
    latent_dim: int | None = flag(
        "--latent-dim",
        default=None,
        metadata=codec.omitted_default(),
        min=1,
        shown_default="512",
        help="Length of the latents z and w.",
    )
    ema_kimg: float | None = flag(
        "--ema-kimg",
        default=None,
        metadata=codec.omitted_default(),
        shown_default="10 for a batch of 32",
        help="Half-life of the EMA generator in kimg.",
    )
    group_size: int | None = flag(
        "--mbstd-group", default=None, shown_default="4", help="Group size for minibatch standard deviation."
    )
    total_kimg: float = flag("--kimg", default=25_000.0, help="Training length in kimg (thousands of real images).")
    tick_kimg: float | None = flag(
        "--tick", default=None, shown_default="4, or 1/50 of --kimg", help="kimg between status lines."
    )
    snapshot_ticks: int | None = flag(
        "--snap", default=None, shown_default="50; 10 if --tick is below 4", help="Ticks between snapshots."
    )
    seed: int = flag("--seed", default=0, min=0, help="Random seed.")
    fp32: bool = flag("--fp32", default=False, help="Use float32 only (no mixed precision on GPUs).")
    benchmark: bool = flag("--nobench", negated=True, default=True, help="Turn off cuDNN autotuning.")
    workers: int | None = flag(
        "--workers",
        default=None,
        min=0,
        shown_default=f"{MAX_WORKERS}, or cores - 1 if fewer",
        help="Data-loading processes.",
    )
    on_non_finite: OnNonFinite = flag("--nan", default="stop", help="On a non-finite loss: stop, or skip the update.")
    checkpoint_minutes: float = flag("--save-minutes", default=15.0, help="Maximum minutes between checkpoints.")
    metrics: str | None = flag(
        "--metrics",
        default=None,
        metadata=codec.omitted_default(),
        metavar="NAME,...",
        shown_default="kid_lite0 on a GPU, else none",
        help="Metrics computed at each snapshot, or none; crowdgan metrics --list shows them.",
    )
    num_images: int | None = flag(
        "--num-images",
        default=None,
        metadata=codec.omitted_default(),
        min=1,
        shown_default="1000, official metrics 50000",
        help="Number of generated images per metric.",
    )
    weights: tuple[str, ...] = flag(
        "--weights",
        default=(),
        metadata=codec.omitted_default(),
        metavar="[NAME=]FILE",
        help="Weights of feature extractor NAME, for metrics (repeatable).",
    )
    source: Path | None = None
    """Model from which the weights are initialised (`--resume MODEL`)."""

    def __post_init__(self) -> None:
        _check_batches(self)
        if self.augment == "fixed" and self.augment_p is None:
            raise ConfigError("--aug fixed needs --p, the probability, for example --p 0.2")
        if self.augment_p is not None and self.augment != "fixed":
            raise ConfigError(f"--p requires --aug fixed; remove it with --aug {self.augment}")
        if self.ada_target is not None and self.augment != "ada":
            raise ConfigError(f"--target requires --aug ada; remove it with --aug {self.augment}")
        if self.num_frozen and self.source is None:
            raise ConfigError("--freezed freezes layers of a trained model: it needs --resume MODEL")
        if self.num_images is not None and self.num_images < 1:
            raise ConfigError(f"--num-images is {self.num_images}; it must be at least 1")
        self.schedule(batch_gpu=1)  # validates its numbers

    @property
    def batch_or_auto(self) -> int:
        """Batch size over all GPUs."""
        if self.batch is not None:
            return self.batch
        divisor = self.gpus * (self.batch_gpu or self.group_size or MAX_GROUP_SIZE)
        return divisor * math.ceil(AUTO_BATCH / divisor)

    @property
    def batch_per_gpu(self) -> int:
        """Batch size per GPU."""
        return self.batch_or_auto // self.gpus

    @property
    def group(self) -> int:
        """Group size of the minibatch standard deviation."""
        if self.group_size is not None:
            return self.group_size
        micro_batch = self.batch_gpu or self.batch_per_gpu
        return max(size for size in range(1, MAX_GROUP_SIZE + 1) if micro_batch % size == 0)

    @property
    def micro_batch_candidates(self) -> list[int]:
        """Micro-batch sizes per GPU that divide the batch, the largest first."""
        if self.batch_gpu is not None:
            return [self.batch_gpu]
        batch = self.batch_per_gpu
        return [size for size in range(batch, 0, -1) if batch % size == 0 and size % self.group == 0]

    def schedule(self, *, batch_gpu: int) -> ScheduleConfig:
        """The schedule of a run with micro-batches of `batch_gpu` images."""
        tick = default_tick_kimg(self.total_kimg) if self.tick_kimg is None else self.tick_kimg
        return ScheduleConfig(
            total_kimg=self.total_kimg,
            tick_kimg=tick,
            snapshot_ticks=default_snapshot_ticks(tick) if self.snapshot_ticks is None else self.snapshot_ticks,
            checkpoint_minutes=self.checkpoint_minutes,
            batch_gpu=batch_gpu,
            workers=min(MAX_WORKERS, available_cpus() - 1) if self.workers is None else self.workers,
            on_non_finite=self.on_non_finite,
            benchmark=self.benchmark,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        values: dict[str, Any] = codec.to_json(self)
        return values

    @classmethod
    def from_json(cls, data: object, changed: Mapping[str, Any]) -> TrainOptions:
        """Recorded options, with changes.

        Raises:
            ConfigError: a key is missing or unknown, a value has the wrong type, or options contradict one another.
        """
        changes = {name: str(value) if isinstance(value, Path) else value for name, value in changed.items()}
        return codec.from_json(cls, {**data, **changes} if isinstance(data, dict) else data, "options", ConfigError)


def _check_batches(options: TrainOptions) -> None:
    """Checks that batch sizes divide one another.

    Raises:
        ConfigError: they do not; the message lists sizes that do.
    """
    for name in ("gpus", "batch", "batch_gpu", "group_size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            option = "mbstd-group" if name == "group_size" else name.replace("_", "-")
            raise ConfigError(f"--{option} is {value}; it must be at least 1")
    batch, gpus, micro_batch = options.batch_or_auto, options.gpus, options.batch_gpu
    if batch % gpus:
        raise ConfigError(f"--batch {batch} cannot be divided among {gpus} GPUs; use {_multiples(batch, gpus)}")
    if micro_batch is not None and batch % (gpus * micro_batch):
        factors = f"{gpus} x --batch-gpu {micro_batch}" if gpus > 1 else f"--batch-gpu {micro_batch}"
        raise ConfigError(
            f"--batch {batch} is not a multiple of {factors}; use {_multiples(batch, gpus * micro_batch)}"
        )
    name, size = ("the batch per GPU", options.batch_per_gpu) if micro_batch is None else ("--batch-gpu", micro_batch)
    if size % options.group:
        divisors = ", ".join(str(divisor) for divisor in range(1, size + 1) if size % divisor == 0)
        raise ConfigError(f"--mbstd-group {options.group} does not divide {name}, {size}; choose from {divisors}")


def _multiples(value: int, of: int) -> str:
    """The multiples of `of` that are nearest to a value."""
    below, above = value // of * of, (value // of + 1) * of
    return f"{below} or {above}" if below else str(above)
