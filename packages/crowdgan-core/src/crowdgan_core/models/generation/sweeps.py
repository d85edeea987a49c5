"""Density sweeps on disk: one seed from sparse to dense, as an image strip and an animation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.io.images import MAX_PIXELS
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.models.generation.parsing import parse_seeds
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record, options_record
from crowdgan_core.models.generation.strips import (
    AnimationFormat,
    add_captions,
    check_animation,
    encode_animation,
    image_sheet,
    image_strip,
    upscale_factor,
)
from crowdgan_core.models.generation.sweep_steps import SweepRange, SweepStep, sweep_steps
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.progress import NullProgress, Progress

SHEET_NAME = "sweep.png"
"""File name of the sheet of all seeds."""


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """Sweeps to generate, two files per seed and optionally a sheet of all, and where to write them."""

    seeds: tuple[int, ...] = flag(
        "--seed", "--seeds", parse=parse_seeds, help="Random seed, or several, e.g. 0-7 or 1,5,9-12."
    )
    """0 to 2^32 - 1, all different."""

    animation: AnimationFormat = flag("--format", default="webp", help="Animation format.")

    outdir: Path = flag("--outdir", help="Output folder.")
    """Created if it does not exist."""

    sheet: bool = flag(
        "--sheet", default=False, switch=True, help="Also write sweep.png, a sheet with one row per seed."
    )

    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite existing files.")

    model_name: str
    """Name of the model file, for the record in the files."""

    sweep_range: SweepRange = field(default_factory=SweepRange)
    """Labels of each sweep."""

    options: GenerationOptions = field(default_factory=GenerationOptions)

    def names(self, seed: int) -> tuple[str, str]:
        """Names of the strip and of the animation of a seed."""
        return f"sweep-seed{seed:04d}.png", f"sweep-seed{seed:04d}.{self.animation}"

    @property
    def sheet_path(self) -> Path:
        """Path of the sheet of all seeds."""
        return self.outdir / SHEET_NAME

    @property
    def paths(self) -> list[Path]:
        """Paths of all files."""
        paths = [self.outdir / name for seed in self.seeds for name in self.names(seed)]
        return [*paths, self.sheet_path] if self.sheet else paths

    def check_destination(self) -> None:
        """Checks that the output files may and can be written.

        Raises:
            DatasetError: a file exists and `overwrite` is False.
            ConfigError: Pillow does not support the animation format.
        """
        check_animation(self.animation)
        for path in self.paths:
            check_overwrite(path, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that a model can generate these sweeps.

        Raises:
            ConfigError: it has no such labels, or the strip or the sheet is too large.
        """
        count = len(sweep_steps(card, self.sweep_range))
        height, width = (side * upscale_factor(card.resolution[1]) for side in card.resolution)
        if count * width * height > MAX_PIXELS:
            raise ConfigError(f"{count} images of {width}x{height} px are too many for a strip; use fewer steps")
        total = count * len(self.seeds)
        if self.sheet and total * width * height > MAX_PIXELS:
            raise ConfigError(f"{total} images of {width}x{height} px are too many for a sheet; use fewer seeds")


def write_sweeps(generator: ImageGenerator, config: SweepConfig, progress: Progress | None = None) -> list[Path]:
    """Generates a strip and an animation per seed, and optionally a sheet; returns the paths of the files.

    After an error the finished files remain; no file is incomplete.

    Raises:
        ConfigError: the model cannot generate these sweeps.
        DatasetError: a file exists already or cannot be written.
        PluginError: the generator violates its contract.
    """
    config.check_destination()
    config.check_model(generator.card)
    progress = progress or NullProgress()
    steps = sweep_steps(generator.card, config.sweep_range)
    vectors = [step.vector for step in steps]
    captions = [step.caption for step in steps]
    sweeps: list[list[ImageArray]] = []
    progress.start("generating images", len(config.seeds) * len(steps))
    with atomic_writer(config.outdir) as write:
        for seed in config.seeds:
            images = []
            for image in generate_images(generator, [seed] * len(steps), vectors, config.options):
                images.append(image)
                progress.advance()
            frames = add_captions(images, captions)
            record = {"seed": seed, **_record(generator.card, config, steps)}
            strip_name, animation_name = config.names(seed)
            write(strip_name, encode_png_with_metadata(image_strip(frames), record), overwrite=config.overwrite)
            animation = encode_animation(frames, config.animation, record)
            write(animation_name, animation, overwrite=config.overwrite)
            if config.sheet:
                sweeps.append(images)
        if config.sheet:
            record = {"seeds": list(config.seeds), **_record(generator.card, config, steps)}
            sheet = encode_png_with_metadata(image_sheet(sweeps, captions), record)
            write(SHEET_NAME, sheet, overwrite=config.overwrite)
    return config.paths


def _record(card: ModelCard, config: SweepConfig, steps: tuple[SweepStep, ...]) -> dict[str, Any]:
    return {
        "labels": [list(step.vector) for step in steps],
        "captions": [" ".join(step.caption) for step in steps],
        **options_record(config.options),
        **model_record(card, config.model_name),
    }
