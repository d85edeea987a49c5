"""Geometric transformation of images without aliasing: reflection padding, upsampling, bilinear sampling, downsampling.

Upsampling and downsampling use an orthogonal wavelet filter, so that the identity leaves images unchanged. The filter
is not quite symmetric: flipped images are offset by 0.1 pixels, as in the published method.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crowdgan_stylegan3.ops import upfirdn2d
from crowdgan_stylegan3.training.augment.draws import copy_to_device
from crowdgan_stylegan3.training.augment.groups import true_indices, update_groups
from crowdgan_stylegan3.training.augment.sampling import reflect_pad, sample
from crowdgan_stylegan3.training.augment.wavelets import SYM6

UPSAMPLING = 2
"""Factor of the upsampling."""

RADIUS_PX = len(SYM6) // (2 * UPSAMPLING)
"""Radius of the filter in pixels."""

SHIFT_PX = 1 / (2 * UPSAMPLING)
"""The peak of the filter's 12 taps is the 6th, half an upsampled sample before their middle."""

UPSAMPLING_PADDING = (len(SYM6) // 2, len(SYM6) // 2 - 1) * 2
DOWNSAMPLING_PADDING = len(SYM6) // 2 - 1 - UPSAMPLING * RADIUS_PX
"""Padding that keeps upsampled sample 2·i at pixel i, and removes `RADIUS_PX` pixels on each side."""

GROUP_SIZE = 8
"""Images that are transformed together with the same padding; images are sorted by the padding that they need.

At 256² and p = 0.5 padded images have 2.3 times the area of the image on average; with groups of 32, 3.6 times.
"""


def warp_images(images: Tensor, inverse: Tensor, f: Tensor) -> Tensor:
    """Transformed images; outside its edges an image is reflected once, and 0 beyond the reflection.

    Args:
        images: `[N, C, H, W]`.
        inverse: matrices `[N, 3, 3]` as from `geometric_transforms`, in host memory.
        f: low-pass filter of `SYM6`, on the device of the images. It should be the same tensor in all calls, since
            the ops cache values derived from a filter.
    """
    size = (images.shape[2], images.shape[3])
    margins = _margins(inverse, size)
    is_transformed = (inverse != torch.eye(3, dtype=inverse.dtype)).flatten(1).any(dim=1)
    areas = (size[1] + margins[:, :2].sum(dim=1)) * (size[0] + margins[:, 2:].sum(dim=1))
    order = areas.argsort(stable=True)
    indices = order[true_indices(is_transformed[order])]
    groups = torch.split(indices, GROUP_SIZE) if len(indices) else ()

    def warp(group: Tensor, members: Tensor) -> Tensor:
        return _warp_group(group, inverse[members], margins[members].amax(dim=0).tolist(), f)

    return update_groups(images, groups, warp)


def _margins(inverse: Tensor, size: tuple[int, int]) -> Tensor:
    """Padding `(x0, x1, y0, y1)` in pixels that each image needs, `[N, 4]`, less than the image side."""
    sides = torch.tensor([size[1], size[0]])
    half = sides / 2 + RADIUS_PX
    corners = torch.stack([half * torch.tensor(signs) for signs in ((-1, -1), (-1, 1), (1, -1), (1, 1))])
    corners = torch.cat([corners, torch.ones(4, 1)], dim=1).to(inverse.dtype)
    points = (inverse @ corners.T)[:, :2]
    overhang = torch.stack([-points.amin(dim=2), points.amax(dim=2)], dim=2) - (sides / 2)[:, None]
    padding = (overhang + RADIUS_PX + 1 / UPSAMPLING).ceil().long().clamp(min=0)
    return padding.minimum((sides - 1)[:, None]).flatten(1)


def _warp_group(images: Tensor, inverse: Tensor, margins: list[int], f: Tensor) -> Tensor:
    """Transformed images, with reflection padding `(x0, x1, y0, y1)` in pixels."""
    size = (images.shape[2] + 2 * RADIUS_PX, images.shape[3] + 2 * RADIUS_PX)
    matrices = _sampling_matrices(inverse, margins, (images.shape[2], images.shape[3]))
    x = upfirdn2d(reflect_pad(images, margins), f, up=UPSAMPLING, padding=UPSAMPLING_PADDING, gain=UPSAMPLING**2)
    x = sample(x, _sampling_grid(copy_to_device(matrices, images), (UPSAMPLING * size[0], UPSAMPLING * size[1])))
    return upfirdn2d(x, f, down=UPSAMPLING, padding=DOWNSAMPLING_PADDING, flip_filter=True)


def _sampling_matrices(inverse: Tensor, margins: list[int], size: tuple[int, int]) -> Tensor:
    """Matrices `[N, 2, 3]` from points of the result to points of the padded image.

    The result is larger by `RADIUS_PX` on each side; the coordinates of both range from -1 to 1.
    """
    x0, x1, y0, y1 = margins
    half = torch.tensor([size[1], size[0]], dtype=inverse.dtype) / 2
    half_out = half + RADIUS_PX
    half_in = half + torch.tensor([x0 + x1, y0 + y1]) / 2
    centre_in = torch.tensor([x1 - x0, y1 - y0]) / 2
    linear = inverse[:, :2, :2]
    shift = inverse[:, :2, 2] + linear @ torch.full((2,), SHIFT_PX, dtype=inverse.dtype) - SHIFT_PX - centre_in
    return torch.cat([linear * half_out / half_in[:, None], (shift / half_in)[:, :, None]], dim=2)


def _sampling_grid(matrices: Tensor, size: tuple[int, int]) -> Tensor:
    """Sampling points of a result, `[N, height, width, 2]`, by matrices `[N, 2, 3]`."""
    x, y = (
        (torch.arange(count, dtype=matrices.dtype, device=matrices.device) * 2 + (1 - count)) / count
        for count in (size[1], size[0])
    )
    along_x = matrices[:, None, :, 0] * x[None, :, None]
    along_y = matrices[:, None, :, 1] * y[None, :, None] + matrices[:, None, :, 2]
    return along_x[:, None] + along_y[:, :, None]
