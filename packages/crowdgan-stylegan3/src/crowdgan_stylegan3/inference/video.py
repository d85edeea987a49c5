"""Looping videos: closed cubic splines through intermediate latents of seeds and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_path, check_overwrite
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import Conditioning
from crowdgan_core.models.generation.samples import tile_images
from crowdgan_core.models.latent_generator import TruncationMean
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_stylegan3.backend_name import BACKEND_NAME
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.video_config import Keyframe, VideoConfig
from crowdgan_stylegan3.inference.video_writers import writer_for


def render_video(
    generator: ImageGenerator,
    dest: Path | str,
    seeds: Sequence[int],
    *,
    density: str | float | None = None,
    label: str | None = None,
    all_classes: bool = VideoConfig.all_classes,
    grid: tuple[int, int] = VideoConfig.grid,
    frames: int = VideoConfig.frames,
    fps: float = VideoConfig.fps,
    truncation_psi: float = VideoConfig.truncation_psi,
    truncation_mean: TruncationMean = VideoConfig.truncation_mean,
    overwrite: bool = VideoConfig.overwrite,
    progress: Progress | None = None,
) -> None:
    """Renders a looping video that interpolates between seeds; it is written atomically.

    Args:
        generator: a generator of this backend.
        dest: output file: .mp4 (needs ffmpeg), .webp or .gif.
        seeds: seeds to interpolate between, divided evenly among the videos of the grid.
        density: class name, or density value for continuous labels.
        label: class index, or full label vector, as text.
        all_classes: also interpolate through all classes, and back, at each seed.
        grid: `(columns, rows)` of videos.
        frames: frames per interpolation step.
        fps: frames per second.
        truncation_psi: 1 = off; lower = less diverse; 0 = mean image.
        truncation_mean: `label` truncates towards the mean latent of the label, `all` towards that of all labels.
        overwrite: whether to overwrite `dest` if it exists.
        progress: progress display.

    Raises:
        ConfigError: invalid values, a label that the model does not have, or a generator of another backend.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
        BuildError: ffmpeg is required and not installed, or fails.
    """
    if not isinstance(generator, StyleGanImageGenerator):
        raise ConfigError(f"a model of the backend {generator.card.backend}; videos need one of {BACKEND_NAME}")
    config = VideoConfig(
        dest=Path(dest),
        seeds=tuple(seeds),
        conditioning=Conditioning(density=None if density is None else str(density), label=label),
        all_classes=all_classes,
        grid=grid,
        frames=frames,
        fps=fps,
        truncation_psi=truncation_psi,
        truncation_mean=truncation_mean,
        overwrite=overwrite,
    )
    check_overwrite(config.dest, overwrite=overwrite)
    config.check_model(generator.card)
    writer = writer_for(config.dest)
    with atomic_path(config.dest, overwrite=overwrite) as partial:
        writer.write(_render_frames(generator, config, progress or NullProgress()), partial, fps)


def _render_frames(generator: StyleGanImageGenerator, config: VideoConfig, progress: Progress) -> Iterator[ImageArray]:
    paths = [latent_path(generator, keyframes, config) for keyframes in config.keyframes(generator.card)]
    progress.start("rendering frames", len(paths[0]))
    for latents in zip(*paths, strict=True):
        yield tile_images(generator.images(torch.stack(latents)), config.grid)
        progress.advance()


def latent_path(generator: StyleGanImageGenerator, keyframes: Sequence[Keyframe], config: VideoConfig) -> Tensor:
    """Intermediate latents `[num_frames, num_ws, w_dim]`: a closed cubic spline through the keyframes."""
    labels = [label for _, label in keyframes if label is not None]
    ws = generator.latents(
        [seed for seed, _ in keyframes],
        np.array(labels, np.float32) if labels else None,
        truncation_psi=config.truncation_psi,
        truncation_mean=config.truncation_mean,
    )
    closed = torch.cat([ws, ws[:1]]).cpu().double().numpy()
    spline = CubicSpline(np.arange(len(closed)), closed, bc_type="periodic")
    times = np.arange(len(ws) * config.frames) / config.frames
    return torch.from_numpy(spline(times)).to(ws)
