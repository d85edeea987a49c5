"""Looped videos: images between seeds, and between labels, on a smooth path through w."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_path
from crowdgan_core.models.generation.samples import tile_images
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.video_writers import MAX_SIDES_PX, SUFFIXES, writer_for

Label = tuple[float, ...]


MIN_FRAMES_PER_S, MAX_FRAMES_PER_S = 0.1, 1000.0
"""Speeds that all forms of video can hold: WebP and GIF count in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class VideoSettings:
    """What a video shows.

    Raises:
        ConfigError: numbers that make no video.
    """

    dest: Path
    """Video to write; its suffix says how."""
    seeds: tuple[int, ...]
    """Places on the path, shared out to the cells of the grid."""
    labels: tuple[Label | None, ...] = (None,)
    """One label for the whole video, or several that every seed goes through, there and back."""
    grid: tuple[int, int] = (1, 1)
    """`(columns, rows)` of images."""
    frames_per_step: int = 60
    """Frames from one place on the path to the next."""
    frames_per_s: float = 30.0
    """Speed."""
    truncation_psi: float = 1.0
    """Pull towards the mean latent, 1 for none."""
    overwrite: bool = False
    """Whether an existing video is replaced."""

    def __post_init__(self) -> None:
        cells = self.grid[0] * self.grid[1]
        if self.dest.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"{self.dest}: the name of a video must end in {', '.join(SUFFIXES)}")
        if self.frames_per_step < 1 or not MIN_FRAMES_PER_S <= self.frames_per_s <= MAX_FRAMES_PER_S:
            given = f"{self.frames_per_step} frames per step at {self.frames_per_s:g} per s"
            allowed = f"at least 1 and {MIN_FRAMES_PER_S:g} to {MAX_FRAMES_PER_S:g} per s"
            raise ConfigError(f"{given} make no video; there must be {allowed}")
        if not math.isfinite(self.truncation_psi):
            raise ConfigError(f"truncation psi is {self.truncation_psi}; it must be a finite number")
        if cells < 1 or len(self.seeds) % cells:
            raise ConfigError(f"{len(self.seeds)} seeds cannot be shared out to {cells} cells; take a multiple")
        if len(self.seeds) // cells * len(self.labels) < 2:
            raise ConfigError("one seed per cell and one label make no motion; take more seeds or change the label")

    def check_size(self, resolution: tuple[int, int]) -> None:
        """Checks that the file can hold frames of images `(height, width)` in the grid.

        Raises:
            ConfigError: they are too large.
        """
        most = max(resolution[1] * self.grid[0], resolution[0] * self.grid[1])
        if most > MAX_SIDES_PX[self.dest.suffix.lower()]:
            raise ConfigError(f"{self.dest}: frames of {most} px are too large for it; take a smaller grid")

    def keyframes(self) -> list[list[tuple[int, Label | None]]]:
        """Per cell, the seeds and labels that its loop passes through."""
        back_and_forth = [*self.labels, *self.labels[-2:0:-1]]
        per_cell = len(self.seeds) // (self.grid[0] * self.grid[1])
        shares = [self.seeds[start : start + per_cell] for start in range(0, len(self.seeds), per_cell)]
        return [list(itertools.product(share, back_and_forth)) for share in shares]


def make_video(generator: StyleGanImageGenerator, settings: VideoSettings, progress: Progress | None = None) -> None:
    """Makes a video that runs in a loop; it appears when it is whole.

    Raises:
        ConfigError: the model takes no such seeds or labels.
        DatasetError: the video exists and is not to be replaced, or cannot be written.
        BuildError: ffmpeg is needed and missing, or fails.
    """
    settings.check_size(generator.card.resolution)
    reported = progress or NullProgress()
    paths = [loop(generator, keyframes, settings) for keyframes in settings.keyframes()]
    reported.start("making frames", len(paths[0]))

    def frames() -> Iterator[ImageArray]:
        for index in range(len(paths[0])):
            yield tile_images(generator.images(torch.stack([path[index] for path in paths])), settings.grid)
            reported.advance()

    with atomic_path(settings.dest, overwrite=settings.overwrite) as partial:
        writer_for(settings.dest).write(frames(), partial, settings.frames_per_s)


def loop(
    generator: StyleGanImageGenerator, keyframes: Sequence[tuple[int, Label | None]], settings: VideoSettings
) -> Tensor:
    """Intermediate latents of all frames `[num_frames, num_ws, w_dim]`: a closed cubic spline through the keyframes."""
    labels = [label for _, label in keyframes if label is not None]
    ws = generator.latents(
        [seed for seed, _ in keyframes],
        np.array(labels, np.float32) if labels else None,
        truncation_psi=settings.truncation_psi,
    )
    closed = torch.cat([ws, ws[:1]]).cpu().double().numpy()
    spline = CubicSpline(np.arange(len(closed)), closed, bc_type="periodic")
    times = np.arange(len(ws) * settings.frames_per_step) / settings.frames_per_step
    return torch.from_numpy(spline(times)).to(ws)
