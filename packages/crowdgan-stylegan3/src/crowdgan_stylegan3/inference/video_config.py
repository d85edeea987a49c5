"""Config of a video; imports no torch."""

from __future__ import annotations

import itertools
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, label_vector, one_hot
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.parsing import parse_grid, parse_seeds
from crowdgan_core.models.latent_generator import TruncationMean
from crowdgan_core.utils.flags import flag

MAX_SIDES_PX = {".mp4": 16384, ".webp": 16383, ".gif": 65535}
"""Maximum frame side by file suffix (H.264 encoders, the WebP and the GIF specification)."""

MIN_FPS, MAX_FPS = 0.1, 1000.0
"""Frame rates that all formats support: WebP and GIF store durations in milliseconds."""

FFMPEG = "ffmpeg"
"""Name of the ffmpeg program."""

Keyframe = tuple[int, LabelVector | None]
"""Seed and label vector."""


def default_dest() -> Path:
    """The default output file: MP4 if ffmpeg is installed, else WebP."""
    return Path("video.mp4" if shutil.which(FFMPEG) else "video.webp")


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """A looping video that interpolates between seeds.

    Raises:
        ConfigError: values that do not define a video.
    """

    seeds: tuple[int, ...] = flag(
        "--seeds", parse=parse_seeds, help="Seeds to interpolate between, e.g. 0-7 or 1,5,9-12."
    )
    """Divided evenly among the videos of the grid."""

    all_classes: bool = flag(
        "--all-classes",
        default=False,
        switch=True,
        help="Also interpolate through all classes, and back, at each seed.",
    )

    grid: tuple[int, int] = flag(
        "--grid",
        default=(1, 1),
        parse=parse_grid,
        shown_default="1x1",
        metavar="COLUMNSxROWS",
        help="Grid of videos, e.g. 2x2.",
    )
    """`(columns, rows)`, filled row by row."""

    frames: int = flag("--frames", "--w-frames", default=60, help="Frames per interpolation step.")
    """At least 1."""

    fps: float = flag("--fps", default=30.0, help="Frames per second.")
    """`MIN_FPS` to `MAX_FPS`."""

    dest: Path = flag(
        "--dest",
        "--output",
        default_factory=default_dest,
        shown_default="video.mp4; without ffmpeg: video.webp",
        help="Output file: .mp4 (needs ffmpeg), .webp or .gif.",
    )
    """The suffix determines the format."""

    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite the file if it exists.")

    conditioning: Conditioning = field(default_factory=Conditioning)
    """Label of all frames; empty with `all_classes`."""

    truncation_psi: float = GenerationOptions.truncation_psi

    truncation_mean: TruncationMean = GenerationOptions.truncation_mean

    def __post_init__(self) -> None:
        suffixes, cells = list(MAX_SIDES_PX), self.grid[0] * self.grid[1]
        if self.dest.suffix.lower() not in suffixes:
            raise ConfigError(f"{self.dest}: the suffix of a video must be {', '.join(suffixes)}")
        if self.frames < 1:
            raise ConfigError(f"frames per interpolation step are {self.frames}; they must be at least 1")
        if not MIN_FPS <= self.fps <= MAX_FPS:
            raise ConfigError(f"frames per second are {self.fps:g}; they must be {MIN_FPS:g} to {MAX_FPS:g}")
        if not math.isfinite(self.truncation_psi):
            raise ConfigError(f"truncation psi is {self.truncation_psi}; it must be a finite number")
        if cells < 1 or not self.seeds or len(self.seeds) % cells:
            raise ConfigError(
                f"{len(self.seeds)} seeds for {cells} videos in the grid; the number of seeds must be a multiple"
            )
        if self.all_classes and self.conditioning != Conditioning():
            raise ConfigError("--all-classes uses all labels; remove --density and --label")

    def check_model(self, card: ModelCard) -> None:
        """Checks that a model can generate this video, and that the file format supports its size.

        Raises:
            ConfigError: the model has no such label, one label and one seed per video, or frames that are too large.
        """
        self.keyframes(card)
        side = max(card.resolution[1] * self.grid[0], card.resolution[0] * self.grid[1])
        if side > (limit := MAX_SIDES_PX[self.dest.suffix.lower()]):
            raise ConfigError(f"{self.dest}: frames of {side} px are too large; use a smaller grid, at most {limit} px")

    def keyframes(self, card: ModelCard) -> list[list[Keyframe]]:
        """The keyframes of each video in the grid.

        Raises:
            ConfigError: the model has no such label, or there is only one keyframe per video.
        """
        labels = self._labels(card)
        labels_and_back = [*labels, *labels[-2:0:-1]]
        seeds_per_video = len(self.seeds) // (self.grid[0] * self.grid[1])
        if seeds_per_video * len(labels) < 2:
            raise ConfigError("one seed per video and one label give no motion; use more seeds or --all-classes")
        groups = [self.seeds[start : start + seeds_per_video] for start in range(0, len(self.seeds), seeds_per_video)]
        return [list(itertools.product(seeds, labels_and_back)) for seeds in groups]

    def _labels(self, card: ModelCard) -> list[LabelVector | None]:
        """The label vectors in sequence; one None for a model without labels."""
        if not self.all_classes:
            return [label_vector(card, self.conditioning)]
        if card.label_kind != "class":
            raise ConfigError("--all-classes needs a model whose labels are classes")
        return [one_hot(card, index) for index in range(card.label_dim)]
