"""`crowdgan sweep`: one place from the least to the most crowded, as a strip and as an animation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crowdgan_core.atomic import files_into, refuse_existing
from crowdgan_core.backend import ImageGenerator
from crowdgan_core.errors import ConfigError
from crowdgan_core.generation.batches import Rendering, generated
from crowdgan_core.generation.record import encode_png, model_record, rendering_record
from crowdgan_core.generation.steps import SweepRange, SweepStep, sweep_steps
from crowdgan_core.generation.strips import (
    AnimationFormat,
    captioned,
    check_animation,
    encode_animation,
    enlargement,
    strip,
)
from crowdgan_core.model_card import ModelCard
from crowdgan_core.pictures import MAX_PIXELS
from crowdgan_core.progress import NoProgress, Progress


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """What `crowdgan sweep` makes: two files per seed."""

    outdir: Path
    """Folder for the files; made if it is missing."""

    seeds: tuple[int, ...]
    """One per sweep, 0 to 2^32 - 1, all different."""

    model_name: str
    """Name of the model file, for the record in the files."""

    through: SweepRange = field(default_factory=SweepRange)
    """Labels that each sweep goes through."""

    rendering: Rendering = field(default_factory=Rendering)
    """How pictures are made."""

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
                refuse_existing(self.outdir / name, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that the model can give these pictures.

        Raises:
            ConfigError: it has no such labels, or the strip would be too large.
        """
        count = len(sweep_steps(card, self.through))
        height, width = (side * enlargement(card.resolution[1]) for side in card.resolution)
        if count * width * height > MAX_PIXELS:
            raise ConfigError(f"{count} pictures of {width}x{height} px are too many for a strip; use fewer steps")


def make_sweeps(generator: ImageGenerator, settings: SweepSettings, progress: Progress | None = None) -> list[Path]:
    """Makes a strip and an animation per seed; returns the files.

    What was written stays where a later seed fails; no file is ever half-written.

    Raises:
        ConfigError: the model cannot give these pictures.
        DatasetError: a file exists already, or cannot be written.
        PluginError: the generator breaks its contract.
    """
    settings.check_destination()
    settings.check_model(generator.card)
    steps, reported = sweep_steps(generator.card, settings.through), progress or NoProgress()
    vectors = [step.vector for step in steps]
    reported.start("generating pictures", len(settings.seeds) * len(steps))
    with files_into(settings.outdir) as write:
        for seed in settings.seeds:
            pictures = []
            for picture in generated(generator, [seed] * len(steps), vectors, settings.rendering):
                pictures.append(picture)
                reported.advance()
            images = captioned(pictures, [step.caption for step in steps])
            record = _record(generator.card, settings, seed, steps)
            strip_name, animation_name = settings.names(seed)
            write(strip_name, encode_png(strip(images), record), overwrite=settings.overwrite)
            animation = encode_animation(images, settings.animation, record)
            write(animation_name, animation, overwrite=settings.overwrite)
    return [settings.outdir / name for seed in settings.seeds for name in settings.names(seed)]


def _record(card: ModelCard, settings: SweepSettings, seed: int, steps: tuple[SweepStep, ...]) -> dict[str, Any]:
    return {
        "seed": seed,
        "labels": [list(step.vector) for step in steps],
        "captions": [" ".join(step.caption) for step in steps],
        **rendering_record(settings.rendering),
        **model_record(card, settings.model_name),
    }
