"""Crop and resize transforms of images and of the boxes in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.scenes.scene import Crop, PersonAnnotations, Scene
from crowdgan_core.utils.arrays import Boxes, FloatArray, ImageArray
from crowdgan_core.utils.flags import flag, format_size, parse_size

TransformName = Literal["none", "center-crop", "center-crop-wide"]

TRANSFORMS: tuple[TransformName, ...] = get_args(TransformName)

MAX_SIDE_PX = 8192
"""Maximum side of the target size: such an image takes 200 MB, and networks are trained on smaller images."""

MIN_VISIBLE_FRACTION = 0.5
"""Minimum fraction of a person's visible box inside the crop; below it the person is removed."""

MIN_IGNORE_FRACTION = 1e-9
"""Minimum fraction of an ignore region inside the crop: any overlap keeps the region."""


@dataclass(frozen=True, kw_only=True)
class CropGeometry:
    """Crop, resize and padding of one image, in pixels."""

    left: int
    """Left edge of the crop in the image."""

    top: int
    """Top edge of the crop in the image."""

    crop_size: tuple[int, int]
    """`(height, width)` of the crop in the image."""

    out_size: tuple[int, int]
    """`(height, width)` of the crop after resizing."""

    canvas_size: tuple[int, int]
    """`(height, width)` of the result; larger than `out_size` if black padding is added."""

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Horizontal and vertical scale: pixels of the result per pixel of the image."""
        return self.out_size[1] / self.crop_size[1], self.out_size[0] / self.crop_size[0]

    @property
    def padding_xy(self) -> tuple[int, int]:
        """Width of the left padding and height of the top padding."""
        return (self.canvas_size[1] - self.out_size[1]) // 2, (self.canvas_size[0] - self.out_size[0]) // 2

    def before_resizing(self) -> CropGeometry:
        """The geometry of the same crop without resizing and padding."""
        return replace(self, out_size=self.crop_size, canvas_size=self.crop_size)

    def rescale_input(self, factor_x: float, factor_y: float) -> CropGeometry:
        """The geometry of the same crop of an image whose width and height are multiplied by these factors."""
        left, top = round(self.left * factor_x), round(self.top * factor_y)
        height = max(1, round((self.top + self.crop_size[0]) * factor_y) - top)
        width = max(1, round((self.left + self.crop_size[1]) * factor_x) - left)
        return replace(self, left=left, top=top, crop_size=(height, width))


@dataclass(frozen=True, kw_only=True)
class ImageTransform:
    """A transform that crops and resizes images to one size.

    `none` resizes without cropping; without a size it keeps the image unchanged. `center-crop` takes the largest
    centred crop with the aspect ratio of the target. `center-crop-wide` equals the transform of this name in the
    published dataset tool, pixel for pixel: it takes the full width and as many rows as the image would have after
    scaling to the target width, resizes this crop to the target, and centres it on a square black canvas.

    Raises:
        ConfigError: the name is unknown, or the size is invalid for the transform.
    """

    name: TransformName = flag("--transform", default="none", help="Crop to apply before resizing.")

    size: tuple[int, int] | None = flag(
        "--resolution",
        default=None,
        shown_default="the size of the images",
        parse=parse_size,
        format=format_size,
        metavar="WIDTHxHEIGHT",
        help="Output image size.",
    )
    """Target `(height, width)` in pixels; None: the size of each image."""

    def __post_init__(self) -> None:
        if self.name not in TRANSFORMS:
            raise ConfigError(f"no such transform {self.name}; choose from {', '.join(TRANSFORMS)}")
        if self.size is None and self.name == "center-crop-wide":
            raise ConfigError("center-crop-wide needs a resolution, for example 512x288")
        if self.size is not None and not 1 <= min(self.size) <= max(self.size) <= MAX_SIDE_PX:
            raise ConfigError(f"resolution is {self.size[1]}x{self.size[0]}; both must be from 1 to {MAX_SIDE_PX} px")
        if self.name == "center-crop-wide" and self.size is not None and self.size[0] > self.size[1]:
            resolution = f"{self.size[1]}x{self.size[0]}"
            raise ConfigError(f"center-crop-wide: resolution is {resolution}; width must be at least the height")

    def __str__(self) -> str:
        """Text for metadata and messages, for example `center-crop 256x256`."""
        return self.name if self.size is None else f"{self.name} {self.size[1]}x{self.size[0]}"

    def geometry(self, size: tuple[int, int]) -> CropGeometry:
        """The geometry of the transform for an image of `size` `(height, width)`.

        Raises:
            DatasetError: the image is too small for center-crop-wide.
        """
        height, width = size
        target = self.size
        if self.name == "none":
            out = target or size
            return CropGeometry(left=0, top=0, crop_size=size, out_size=out, canvas_size=out)
        if self.name == "center-crop":
            crop_height, crop_width = _largest_crop(size, target or (1, 1))
            top, left = (height - crop_height) // 2, (width - crop_width) // 2
            out = target or (crop_height, crop_width)
            return CropGeometry(left=left, top=top, crop_size=(crop_height, crop_width), out_size=out, canvas_size=out)
        assert target is not None
        rows = round(target[1] * height / width)
        if width < target[1] or rows < target[0]:
            raise DatasetError(
                f"{width}x{height} px is too small for {self}: the width must be at least {target[1]} px "
                f"and the height at least {target[0] / target[1]:.3g} times the width"
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
        left, top = geometry.padding_xy
        canvas[top : top + out_height, left : left + out_width] = np.asarray(image)
        return canvas

    def scene(self, scene: Scene, geometry: CropGeometry) -> Scene:
        """The scene of the crop, in pixels of the image, before resizing and padding.

        Its density therefore does not depend on the target size, except for a target with another crop. Boxes are
        not clipped. A person is kept if at least half of the visible box lies inside the crop, an ignore region if any
        part of it does.
        """
        min_fractions = np.where(scene.ignore, MIN_IGNORE_FRACTION, MIN_VISIBLE_FRACTION)
        kept = scene.select(_fraction_inside(scene, geometry) >= min_fractions)
        offset = np.array([geometry.left, geometry.top, 0.0, 0.0])
        return replace(
            kept,
            size=geometry.crop_size,
            crop=Crop(full_scene=scene, left=geometry.left, top=geometry.top, size=geometry.crop_size),
            full_boxes=kept.full_boxes - offset,
            visible_boxes=kept.visible_boxes - offset,
            head_boxes=kept.head_boxes - offset,
        )


def rotate_annotations(people: PersonAnnotations, stored_size: tuple[int, int], orientation: int) -> PersonAnnotations:
    """Annotations of a stored image of `stored_size` `(height, width)`, rotated upright by its EXIF orientation."""
    if orientation == 1:
        return people
    return replace(
        people,
        full_boxes=_rotate_boxes(people.full_boxes, stored_size, orientation),
        visible_boxes=_rotate_boxes(people.visible_boxes, stored_size, orientation),
        head_boxes=_rotate_boxes(people.head_boxes, stored_size, orientation),
    )


def _largest_crop(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Size of the largest crop of an image of `size` with the aspect ratio of `shape`, all `(height, width)`."""
    (height, width), (shape_height, shape_width) = size, shape
    if height * shape_width <= width * shape_height:
        return height, max(1, min(width, round(height * shape_width / shape_height)))
    return max(1, min(height, round(width * shape_height / shape_width))), width


def _fraction_inside(scene: Scene, geometry: CropGeometry) -> FloatArray:
    """Fraction of each visible box inside the crop, `[num_annotations]`, 0 to 1.

    A missing visible box is replaced by the part of the full box inside the image, or by the head box. For a box of
    size 0, such as a head point, the fraction is 0 or 1.
    """
    image = np.array([0.0, 0.0, scene.size[1], scene.size[0]])
    crop = np.array([geometry.left, geometry.top, geometry.crop_size[1], geometry.crop_size[0]], float)
    boxes = scene.visible_boxes.copy()
    for fallback in (_clip(scene.full_boxes, image), scene.head_boxes):
        missing = np.isnan(boxes).any(axis=1)
        boxes[missing] = fallback[missing]
    inside = _clip(boxes, crop)
    area, inside_area = boxes[:, 2] * boxes[:, 3], inside[:, 2] * inside[:, 3]
    overlaps = (inside[:, 2:] >= 0).all(axis=1) & (boxes[:, :2] < crop[:2] + crop[2:]).all(axis=1)
    fraction: FloatArray = np.divide(inside_area, area, out=np.ones(len(boxes)), where=area > 0)
    return np.where(overlaps, fraction, 0.0)


def _clip(boxes: Boxes, region: FloatArray) -> Boxes:
    """Boxes clipped to a region, both xywh; a negative width or height means no overlap."""
    low = np.maximum(boxes[:, :2], region[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], region[:2] + region[2:])
    return np.hstack([low, high - low])


def _rotate_boxes(boxes: Boxes, stored_size: tuple[int, int], orientation: int) -> Boxes:
    """Boxes rotated by an EXIF orientation, as `PIL.ImageOps.exif_transpose` rotates pixels."""
    height, width = stored_size
    x, y, w, h = boxes.T
    mirrored_x, mirrored_y = width - x - w, height - y - h
    rotated = {
        2: (mirrored_x, y, w, h),
        3: (mirrored_x, mirrored_y, w, h),
        4: (x, mirrored_y, w, h),
        5: (y, x, h, w),
        6: (mirrored_y, x, h, w),
        7: (mirrored_y, mirrored_x, h, w),
        8: (y, mirrored_x, h, w),
    }[orientation]
    return np.stack(rotated, axis=1)
