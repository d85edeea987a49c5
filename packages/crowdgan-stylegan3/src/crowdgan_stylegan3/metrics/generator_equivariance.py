"""Equivariance of a generator: how well moved inputs of its synthesis network give moved images, in decibels.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021, appendix E.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from crowdgan_core.utils.arrays import FloatArray, LabelArray
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.metrics.equivariance import (
    MovedImages,
    fractional_pseudo_rotation,
    fractional_rotation,
    fractional_translation,
    integer_translation,
    rotation_matrix,
)
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyleGan2Synthesis
from crowdgan_stylegan3.networks.synthesis_stylegan3 import StyleGan3Synthesis

Movement = Literal["integer translation", "fractional translation", "rotation"]
"""EQ-T, EQ-T_frac or EQ-R of the paper."""

MAX_TRANSLATION = 0.125
"""Maximum translation in image widths."""

VALUE_RANGE = 2.0
"""Difference between the maximum and minimum of an image: -1 to 1."""

BATCH_SIZE = 16
"""Images generated at a time."""


@dataclass
class PooledError:
    """Squared differences of images, pooled over all their comparable pixels."""

    squared_error: float = 0.0
    num_pixels: float = 0.0

    def add(self, moved_image: MovedImages, image_of_moved: MovedImages) -> None:
        """Adds the pixels that are inside both masks."""
        mask = moved_image[1] * image_of_moved[1]
        difference = (moved_image[0] - image_of_moved[0]) * mask
        self.squared_error += difference.double().square().sum().item()
        self.num_pixels += mask.double().sum().item()

    @property
    def psnr_db(self) -> float:
        """Peak signal-to-noise ratio in decibels: infinite for equal images, NaN without comparable pixels."""
        if not self.num_pixels:
            return math.nan
        mean = self.squared_error / self.num_pixels
        return math.inf if mean == 0 else 20 * math.log10(VALUE_RANGE) - 10 * math.log10(mean)


def equivariance_db(
    generator: StyleGanImageGenerator,
    seeds: Sequence[int],
    labels: LabelArray | None,
    movement: Movement,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> float:
    """Equivariance in decibels: the PSNR between moved images and the images of moved inputs; higher is better.

    Args:
        generator: the generator; images are not truncated.
        seeds: seeds of the images, one per image.
        labels: `[num_seeds, label_dim]`; None for a model without labels.
        movement: translation by at most an eighth of the image, or rotation by any angle.
        seed: seed of the translations and angles.
        progress: receives progress reports, one step per image.
    """
    progress = NullProgress() if progress is None else progress
    compare = COMPARISONS[movement]
    moves = _draw_moves(movement, len(seeds), generator.card.resolution[1], seed)
    error = PooledError()
    for start in range(0, len(seeds), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        ws = generator.latents(seeds[batch], None if labels is None else labels[batch])
        transforms = torch.stack([_transform(movement, move) for move in moves[batch]]).to(ws)
        with torch.no_grad():
            images, moved = generator.synthesis(ws), images_of_moved_input(generator.synthesis, ws, transforms)
        for image, image_of_moved, move in zip(
            torch.split(images, 1), torch.split(moved, 1), moves[batch], strict=True
        ):
            error.add(*compare(image, image_of_moved, move))
            progress.advance()
    return error.psnr_db


def images_of_moved_input(synthesis: StyleGan2Synthesis | StyleGan3Synthesis, ws: Tensor, transforms: Tensor) -> Tensor:
    """Images `[N, C, H, W]` of intermediate latents, with the input of the synthesis network moved.

    StyleGAN3's Fourier features are moved exactly. The input of StyleGAN2 is a learned constant of 4x4 samples, which
    is interpolated at the moved positions, bilinearly and with repeated border samples; noise inputs do not move.

    Args:
        synthesis: the synthesis network.
        ws: intermediate latents `[N, num_ws, w_dim]`.
        transforms: `[N, 3, 3]`, from positions in the moved image to positions before, in image widths from the centre.
    """
    if isinstance(synthesis, StyleGan3Synthesis):
        return torch.as_tensor(synthesis(ws, transforms))
    const = synthesis.get_parameter("b4.const")
    theta = transforms[:, :2] * torch.tensor([1, 1, 2], device=ws.device)  # grids of torch are from -1 to 1
    grid = F.affine_grid(theta, [len(ws), *const.shape], align_corners=False)
    moved = F.grid_sample(const.expand(len(ws), -1, -1, -1), grid, padding_mode="border", align_corners=False)
    parts = zip(moved, torch.split(ws, 1), strict=True)
    return torch.cat([functional_call(synthesis, {"b4.const": const}, (ws,)) for const, ws in parts])


def _draw_moves(movement: Movement, count: int, size: int, seed: int) -> FloatArray:
    """Translations `[count, 2]` in image widths, right and down, or angles `[count, 1]` in radians."""
    rng = np.random.default_rng([seed, 2])
    if movement == "rotation":
        return rng.uniform(-math.pi, math.pi, (count, 1))
    translations = rng.uniform(-MAX_TRANSLATION, MAX_TRANSLATION, (count, 2))
    return translations if movement == "fractional translation" else np.round(translations * size) / size


def _transform(movement: Movement, move: FloatArray) -> Tensor:
    """Transform `[3, 3]` from positions in the moved image to positions before, in image widths from the centre."""
    transform = torch.eye(3, dtype=torch.float64)
    if movement == "rotation":
        transform[:2, :2] = rotation_matrix(float(move[0]))
    else:
        transform[:2, 2] = -torch.from_numpy(move)
    return transform


def _compare_integer_translation(image: Tensor, image_of_moved: Tensor, move: FloatArray) -> tuple[MovedImages, ...]:
    return integer_translation(image, *move), (image_of_moved, torch.ones_like(image_of_moved))


def _compare_fractional_translation(image: Tensor, image_of_moved: Tensor, move: FloatArray) -> tuple[MovedImages, ...]:
    return fractional_translation(image, *move), (image_of_moved, torch.ones_like(image_of_moved))


def _compare_rotation(image: Tensor, image_of_moved: Tensor, move: FloatArray) -> tuple[MovedImages, ...]:
    return fractional_rotation(image, *move), fractional_pseudo_rotation(image_of_moved, *move)


COMPARISONS: dict[Movement, Callable[[Tensor, Tensor, FloatArray], tuple[MovedImages, ...]]] = {
    "integer translation": _compare_integer_translation,
    "fractional translation": _compare_fractional_translation,
    "rotation": _compare_rotation,
}
"""The moved image and the image of a moved input, both with masks, by movement."""
