"""`crowdgan sweep`: one place from the least to the most crowded, as a strip and as an animation."""

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
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record, rendering_record
from crowdgan_core.models.generation.strips import (
    AnimationFormat,
    add_captions,
    check_animation,
    encode_animation,
    image_strip,
    upscale_factor,
)
from crowdgan_core.models.generation.sweep_steps import SweepRange, SweepStep, sweep_steps
from crowdgan_core.utils.progress import NullProgress, Progress


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """What `crowdgan sweep` makes: two files per seed."""

    outdir: Path
    """Folder for the files; made if it is missing."""

    seeds: tuple[int, ...]
    """One per sweep, 0 to 2^32 - 1, all different."""

    model_name: str
    """Name of the model file, for the record in the files."""

    through: SweepRange = field(default_factory=SweepRange)
    """Labels that each sweep goes through."""

    rendering: GenerationOptions = field(default_factory=GenerationOptions)
    """How images are made."""

    animation: AnimationFormat = "webp"
    """Form of the animated file."""

    overwrite: bool = False
    """Whether existing files are replaced."""

    def names(self, seed: int) -> tuple[str, str]:
        """Names of the strip and of the animation of a seed."""
        return f"sweep-seed{seed:04d}.png", f"sweep-seed{seed:04d}.{self.animation}"

    def check_destination(self) -> None:
        """Checks that the files may and can be written.

        Raises:
            DatasetError: one of them exists and is not to be replaced.
            ConfigError: Pillow lacks the form of the animation.
        """
        check_animation(self.animation)
        for seed in self.seeds:
            for name in self.names(seed):
                check_overwrite(self.outdir / name, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that the model can give these images.

        Raises:
            ConfigError: it has no such labels, or the strip would be too large.
        """
        count = len(sweep_steps(card, self.through))
        height, width = (side * upscale_factor(card.resolution[1]) for side in card.resolution)
        if count * width * height > MAX_PIXELS:
            raise ConfigError(f"{count} images of {width}x{height} px are too many for a strip; use fewer steps")


def write_sweeps(generator: ImageGenerator, settings: SweepConfig, progress: Progress | None = None) -> list[Path]:
    """Makes a strip and an animation per seed; returns the files.

    What was written stays where a later seed fails; no file is ever half-written.

    Raises:
        ConfigError: the model cannot give these images.
        DatasetError: a file exists already, or cannot be written.
        PluginError: the generator breaks its contract.
    """
    settings.check_destination()
    settings.check_model(generator.card)
    steps, reported = sweep_steps(generator.card, settings.through), progress or NullProgress()
    vectors = [step.vector for step in steps]
    reported.start("generating images", len(settings.seeds) * len(steps))
    with atomic_writer(settings.outdir) as write:
        for seed in settings.seeds:
            images = []
            for image in generate_images(generator, [seed] * len(steps), vectors, settings.rendering):
                images.append(image)
                reported.advance()
            frames = add_captions(images, [step.caption for step in steps])
            record = _record(generator.card, settings, seed, steps)
            strip_name, animation_name = settings.names(seed)
            write(strip_name, encode_png_with_metadata(image_strip(frames), record), overwrite=settings.overwrite)
            animation = encode_animation(frames, settings.animation, record)
            write(animation_name, animation, overwrite=settings.overwrite)
    return [settings.outdir / name for seed in settings.seeds for name in settings.names(seed)]


def _record(card: ModelCard, settings: SweepConfig, seed: int, steps: tuple[SweepStep, ...]) -> dict[str, Any]:
    return {
        "seed": seed,
        "labels": [list(step.vector) for step in steps],
        "captions": [" ".join(step.caption) for step in steps],
        **rendering_record(settings.rendering),
        **model_record(card, settings.model_name),
    }
