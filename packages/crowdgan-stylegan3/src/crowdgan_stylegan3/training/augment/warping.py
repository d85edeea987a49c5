"""Images moved by matrices without making aliases: continued, upsampled, sampled bilinearly and downsampled.

The up- and downsampling are a wavelet's, so that images that are not moved come back as they were. It is not quite
symmetric, so that mirrored images lie 0.1 pixels off and their finest details change; so the published ones do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crowdgan_stylegan3.ops import upfirdn2d
from crowdgan_stylegan3.training.augment.draws import sent
from crowdgan_stylegan3.training.augment.groups import changed, numbers
from crowdgan_stylegan3.training.augment.sampling import reflected, sample
from crowdgan_stylegan3.training.augment.wavelets import SYM6

UP = 2
"""Factor of the upsampling."""

REACH_PX = len(SYM6) // (2 * UP)
"""What the filter reads on each side, in pixels."""

SHIFT_PX = 1 / (2 * UP)
"""The peak of the filter's 12 taps is the 6th, half an upsampled sample before their middle."""

UP_PADDING = (len(SYM6) // 2, len(SYM6) // 2 - 1) * 2
DOWN_PADDING = len(SYM6) // 2 - 1 - UP * REACH_PX
"""What keeps upsampled sample 2·i at pixel i, and takes `REACH_PX` off on each side again."""

GROUP = 8
"""Images that are moved at once. They share the size to which they are continued, so those of like needs go together:
at 256² and p = 0.5, 2.3 times the image on average and not 3.6 times as with 32."""


def warped(images: Tensor, inverse: Tensor, f: Tensor) -> Tensor:
    """Images moved; past their sides they are reflected once, and 0 further out.

    Args:
        images: `[N, C, H, W]`.
        inverse: matrices `[N, 3, 3]` as those of `geometry.moves`, on the host; those of identity move nothing.
        f: low-pass filter of `SYM6`, where the images are. Always the same tensor, since the ops keep what they make
            of a filter.
    """
    size = (images.shape[2], images.shape[3])
    margins = _margins(inverse, size)
    is_moved = (inverse != torch.eye(3, dtype=inverse.dtype)).flatten(1).any(dim=1)
    areas = (size[1] + margins[:, :2].sum(dim=1)) * (size[0] + margins[:, 2:].sum(dim=1))
    order = areas.argsort(stable=True)
    moved = order[numbers(is_moved[order])]
    groups = torch.split(moved, GROUP) if len(moved) else ()
    return changed(images, groups, lambda some, own: _moved(some, inverse[own], margins[own].amax(dim=0).tolist(), f))


def _margins(inverse: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels `(x0, x1, y0, y1)` by which each image is continued for all that is read, `[N, 4]`; less than a side."""
    sides = torch.tensor([size[1], size[0]])
    half = sides / 2 + REACH_PX
    corners = torch.stack([half * torch.tensor(signs) for signs in ((-1, -1), (-1, 1), (1, -1), (1, 1))])
    corners = torch.cat([corners, torch.ones(4, 1)], dim=1).to(inverse.dtype)
    places = (inverse @ corners.T)[:, :2]
    past = torch.stack([-places.amin(dim=2), places.amax(dim=2)], dim=2) - (sides / 2)[:, None]
    needed = (past + REACH_PX + 1 / UP).ceil().long().clamp(min=0)
    return needed.minimum((sides - 1)[:, None]).flatten(1)


def _moved(images: Tensor, inverse: Tensor, margins: list[int], f: Tensor) -> Tensor:
    """All images moved, after they are continued by margins `(x0, x1, y0, y1)`."""
    size = (images.shape[2] + 2 * REACH_PX, images.shape[3] + 2 * REACH_PX)
    places = _places(inverse, margins, (images.shape[2], images.shape[3]))
    x = upfirdn2d(reflected(images, margins), f, up=UP, padding=UP_PADDING, gain=UP**2)
    x = sample(x, _grid(sent(places, images), (UP * size[0], UP * size[1])))
    return upfirdn2d(x, f, down=UP, padding=DOWN_PADDING, flip_filter=True)


def _places(inverse: Tensor, margins: list[int], size: tuple[int, int]) -> Tensor:
    """Matrices `[N, 2, 3]` from places in the result, `REACH_PX` larger on each side, to places in the continued
    image, both from -1 to 1.
    """
    x0, x1, y0, y1 = margins
    half = torch.tensor([size[1], size[0]], dtype=inverse.dtype) / 2
    half_out = half + REACH_PX
    half_in = half + torch.tensor([x0 + x1, y0 + y1]) / 2
    middle_in = torch.tensor([x1 - x0, y1 - y0]) / 2
    linear = inverse[:, :2, :2]
    shift = inverse[:, :2, 2] + linear @ torch.full((2,), SHIFT_PX, dtype=inverse.dtype) - SHIFT_PX - middle_in
    return torch.cat([linear * half_out / half_in[:, None], (shift / half_in)[:, :, None]], dim=2)


def _grid(places: Tensor, size: tuple[int, int]) -> Tensor:
    """Where samples of a result are taken, `[N, height, width, 2]`, by matrices `[N, 2, 3]`."""
    x, y = (
        (torch.arange(count, dtype=places.dtype, device=places.device) * 2 + (1 - count)) / count
        for count in (size[1], size[0])
    )
    along_x = places[:, None, :, 0] * x[None, :, None]
    along_y = places[:, None, :, 1] * y[None, :, None] + places[:, None, :, 2]
    return along_x[:, None] + along_y[:, :, None]
