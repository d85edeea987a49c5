"""Crop and resize, of pixels and of the people in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.scenes.scene import Crop, PersonAnnotations, Scene
from crowdgan_core.utils.arrays import Boxes, ImageArray

TransformName = Literal["none", "center-crop", "center-crop-wide"]

TRANSFORMS: tuple[TransformName, ...] = get_args(TransformName)

MAX_SIDE_PX = 8192
"""Largest side of a target: an image of this size takes 200 MB, and no network is trained on a larger one."""

MIN_VISIBLE_FRACTION = 0.5
"""Share of a person's visible box that must lie inside the crop for the person to count."""

Shares = npt.NDArray[np.float64]
"""`[num_persons]` float, 0 to 1."""

SQUARE_PIXELS = 0.01
"""Relative difference of the two scales up to which a focal length in pixels still holds for both axes."""


@dataclass(frozen=True, kw_only=True)
class CropGeometry:
    """Where the pixels of one image go: a crop of it, resized, on a canvas. All in pixels."""

    left: int
    top: int
    crop_size: tuple[int, int]
    """`(height, width)` of the crop in the image."""
    out_size: tuple[int, int]
    """`(height, width)` of the crop after resizing."""
    canvas_size: tuple[int, int]
    """`(height, width)` of the result; larger than `out_size` where black bars are added."""

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Result pixels per image pixel, horizontally and vertically."""
        return self.out_size[1] / self.crop_size[1], self.out_size[0] / self.crop_size[0]

    @property
    def padding_xy(self) -> tuple[int, int]:
        """Width of the left bar and height of the top bar."""
        return (self.canvas_size[1] - self.out_size[1]) // 2, (self.canvas_size[0] - self.out_size[0]) // 2

    def reduced(self, share_x: float, share_y: float) -> CropGeometry:
        """The same crop of an image whose width and height were multiplied by these shares."""
        left, top = round(self.left * share_x), round(self.top * share_y)
        height = max(1, round((self.top + self.crop_size[0]) * share_y) - top)
        width = max(1, round((self.left + self.crop_size[1]) * share_x) - left)
        return replace(self, left=left, top=top, crop_size=(height, width))


@dataclass(frozen=True, kw_only=True)
class ImageTransform:
    """A way to make all images the same size.

    `none` resizes without cropping (or keeps the image as it is, without a size). `center-crop` takes the largest
    centred part with the shape of the target. `center-crop-wide` does what the published dataset tool does under this
    name, pixel for pixel: the full width, as many rows as the image would have after scaling to the target width,
    resized to the target and set on a square black canvas of that width.
    """

    name: TransformName = "none"

    size: tuple[int, int] | None = None
    """Target `(height, width)` in pixels; None keeps the size of each image."""

    def __post_init__(self) -> None:
        if self.name not in TRANSFORMS:
            raise ConfigError(f"transform is {self.name}; it must be one of {', '.join(TRANSFORMS)}")
        if self.size is None and self.name == "center-crop-wide":
            raise ConfigError("center-crop-wide needs a resolution, for example 512x288")
        if self.size is not None and not 1 <= min(self.size) <= max(self.size) <= MAX_SIDE_PX:
            raise ConfigError(f"resolution is {self.size[1]}x{self.size[0]}; both must be from 1 to {MAX_SIDE_PX} px")
        if self.name == "center-crop-wide" and self.size is not None and self.size[0] > self.size[1]:
            found = f"{self.size[1]}x{self.size[0]}"
            raise ConfigError(f"center-crop-wide with resolution {found}; the width must not be below the height")

    def __str__(self) -> str:
        """For metadata and messages, for example `center-crop 256x256`."""
        return self.name if self.size is None else f"{self.name} {self.size[1]}x{self.size[0]}"

    def geometry(self, size: tuple[int, int]) -> CropGeometry:
        """Where the pixels of an image of `size` (height, width) go.

        Raises:
            DatasetError: the image is too small for center-crop-wide.
        """
        height, width = size
        target = self.size
        if self.name == "none":
            out = target or size
            return CropGeometry(left=0, top=0, crop_size=size, out_size=out, canvas_size=out)
        if self.name == "center-crop":
            shape = target or (1, 1)
            crop_height, crop_width = _largest_crop(size, shape)
            top, left = (height - crop_height) // 2, (width - crop_width) // 2
            out = target or (crop_height, crop_width)
            return CropGeometry(left=left, top=top, crop_size=(crop_height, crop_width), out_size=out, canvas_size=out)
        assert target is not None
        rows = round(target[1] * height / width)
        if width < target[1] or rows < target[0]:
            raise DatasetError(
                f"{width}x{height} px is too small for {self}: it needs a width of at least {target[1]} px "
                f"and a height of at least {target[0] / target[1]:.3g} times its width"
            )
        canvas = (target[1], target[1])
        top = (height - rows) // 2
        return CropGeometry(left=0, top=top, crop_size=(rows, width), out_size=target, canvas_size=canvas)

    def pixels(self, image: Image.Image, geometry: CropGeometry) -> ImageArray:
        """The transformed image, `[height, width, 3]` uint8, resized with Pillow's Lanczos filter."""
        (crop_height, crop_width), (out_height, out_width) = geometry.crop_size, geometry.out_size
        if geometry.crop_size != (image.height, image.width):
            image = image.crop((geometry.left, geometry.top, geometry.left + crop_width, geometry.top + crop_height))
        if geometry.crop_size != geometry.out_size:
            image = image.resize((out_width, out_height), Image.Resampling.LANCZOS)
        if geometry.canvas_size == geometry.out_size:
            return np.asarray(image)
        canvas = np.zeros((*geometry.canvas_size, 3), np.uint8)
        bar_x, bar_y = geometry.padding_xy
        canvas[bar_y : bar_y + out_height, bar_x : bar_x + out_width] = np.asarray(image)
        return canvas

    def scene(self, scene: Scene, geometry: CropGeometry) -> Scene:
        """The scene that the transformed image shows.

        Boxes are moved and scaled with the pixels and keep their true extent. A person stays while at least half of
        the visible box lies inside the crop; an ignore region stays while any of it does.
        """
        kept = scene.select(_inside_share(scene, geometry) >= np.where(scene.ignore, 1e-9, MIN_VISIBLE_FRACTION))
        scale_x, scale_y = geometry.scale_xy
        same_scale = abs(scale_x - scale_y) <= SQUARE_PIXELS * scale_x
        focal = scene.focal_length_px * scale_x if scene.focal_length_px is not None and same_scale else None
        return replace(
            kept,
            size=geometry.canvas_size,
            focal_length_px=focal,
            crop=Crop(
                full_scene=scene,
                left=geometry.left,
                top=geometry.top,
                size=geometry.crop_size,
                scale_xy=geometry.scale_xy,
                padding_xy=geometry.padding_xy,
            ),
            full_boxes=_moved(kept.full_boxes, geometry),
            visible_boxes=_moved(kept.visible_boxes, geometry),
            head_boxes=_moved(kept.head_boxes, geometry),
        )


def rotate_annotations(people: PersonAnnotations, stored_size: tuple[int, int], orientation: int) -> PersonAnnotations:
    """People of a stored image of `stored_size` (height, width), turned with its pixels by an EXIF orientation."""
    if orientation == 1:
        return people
    return replace(
        people,
        full_boxes=_turned(people.full_boxes, stored_size, orientation),
        visible_boxes=_turned(people.visible_boxes, stored_size, orientation),
        head_boxes=_turned(people.head_boxes, stored_size, orientation),
    )


def _largest_crop(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Size of the largest part of an image of `size` with the proportions of `shape`, all (height, width)."""
    (height, width), (shape_height, shape_width) = size, shape
    if height * shape_width <= width * shape_height:
        return height, max(1, min(width, round(height * shape_width / shape_height)))
    return max(1, min(height, round(width * shape_height / shape_width))), width


def _moved(boxes: Boxes, geometry: CropGeometry) -> Boxes:
    (scale_x, scale_y), (bar_x, bar_y) = geometry.scale_xy, geometry.padding_xy
    offset = np.array([geometry.left, geometry.top, 0.0, 0.0])
    scale = np.array([scale_x, scale_y, scale_x, scale_y])
    moved: Boxes = (boxes - offset) * scale + np.array([bar_x, bar_y, 0.0, 0.0])
    return moved


def _inside_share(scene: Scene, geometry: CropGeometry) -> Shares:
    """Share of each visible box that lies inside the crop, `[num_persons]`, 0 to 1.

    Without a visible box the part of the full box inside the image stands for it, and without that the head. A box
    of size 0, as of a head marked by a point, is inside or not.
    """
    image = np.array([0.0, 0.0, scene.size[1], scene.size[0]])
    crop = np.array([geometry.left, geometry.top, geometry.crop_size[1], geometry.crop_size[0]], float)
    boxes = scene.visible_boxes.copy()
    for fallback in (_cut(scene.full_boxes, image), scene.head_boxes):
        missing = np.isnan(boxes).any(axis=1)
        boxes[missing] = fallback[missing]
    inside = _cut(boxes, crop)
    area, inside_area = boxes[:, 2] * boxes[:, 3], inside[:, 2] * inside[:, 3]
    overlaps = (inside[:, 2:] >= 0).all(axis=1) & (boxes[:, :2] < crop[:2] + crop[2:]).all(axis=1)
    share: Shares = np.divide(inside_area, area, out=np.ones(len(boxes)), where=area > 0)
    return np.where(overlaps, share, 0.0)


def _cut(boxes: Boxes, window: Boxes) -> Boxes:
    """Boxes cut to a window, all xywh; a width or height below 0 means no overlap."""
    low = np.maximum(boxes[:, :2], window[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], window[:2] + window[2:])
    return np.hstack([low, high - low])


def _turned(boxes: Boxes, stored_size: tuple[int, int], orientation: int) -> Boxes:
    """Boxes after the turn of an EXIF orientation: as `PIL.ImageOps.exif_transpose` turns the pixels."""
    height, width = stored_size
    x, y, w, h = boxes.T
    mirrored_x, mirrored_y = width - x - w, height - y - h
    turned = {
        2: (mirrored_x, y, w, h),
        3: (mirrored_x, mirrored_y, w, h),
        4: (x, mirrored_y, w, h),
        5: (y, x, h, w),
        6: (mirrored_y, x, h, w),
        7: (mirrored_y, mirrored_x, h, w),
        8: (y, mirrored_x, h, w),
    }[orientation]
    return np.stack(turned, axis=1)
