"""Crop and resize transforms of pixels and boxes."""

from __future__ import annotations

import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.scenes.scene import PersonAnnotations, Scene
from crowdgan_core.scenes.transform import ImageTransform, TransformName, rotate_annotations
from tests.support.recorded_values import load_arrays

PUBLISHED_TOLERANCE = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 4
"""Maximum difference of samples from the recorded images, of 255.

The images were recorded with Pillow 13, which filters columns first if that is faster. Earlier versions, the only ones
for Python 3.10, filter rows first, so that tall images differ slightly.
"""

BODY = (10.0, 20.0, 4.0, 12.0)


def transform_pixels(transform: ImageTransform, pixels: np.ndarray) -> np.ndarray:
    return transform.pixels(Image.fromarray(pixels), transform.geometry(pixels.shape[:2]))


@pytest.mark.parametrize(
    ("transform", "key"),
    [
        (ImageTransform(name="none", size=(32, 48)), "none_48x32"),
        (ImageTransform(name="center-crop", size=(32, 32)), "center-crop_32x32"),
        (ImageTransform(name="center-crop-wide", size=(32, 48)), "center-crop-wide_48x32"),
    ],
)
def test_pixels_equal_the_published_tool(transform: ImageTransform, key: str) -> None:
    recorded = load_arrays("transforms/transforms")
    for index in range(5):
        result = transform_pixels(transform, recorded[f"in_{index}"])
        assert np.abs(result.astype(int) - recorded[f"{key}_{index}"]).max() <= PUBLISHED_TOLERANCE


@pytest.mark.parametrize("target", [(16, 16), (16, 24), (24, 16), (40, 9)])
@pytest.mark.parametrize("size", [(31, 50), (50, 31), (16, 16), (5, 90)])
def test_a_center_crop_has_the_aspect_ratio_of_the_target_and_is_centred(
    target: tuple[int, int], size: tuple[int, int]
) -> None:
    geometry = ImageTransform(name="center-crop", size=target).geometry(size)
    height, width = geometry.crop_size
    assert (height, width) == size or height == size[0] or width == size[1]
    assert abs(width * target[0] - height * target[1]) <= max(target)
    assert abs(2 * geometry.left + width - size[1]) <= 1
    assert abs(2 * geometry.top + height - size[0]) <= 1
    assert geometry.canvas_size == target


def test_without_a_target_size_images_keep_their_size() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    assert (transform_pixels(ImageTransform(), pixels) == pixels).all()
    assert (transform_pixels(ImageTransform(name="center-crop"), pixels) == pixels[:, 2:11]).all()


def test_an_image_too_small_for_the_wide_crop_is_an_error() -> None:
    transform = ImageTransform(name="center-crop-wide", size=(32, 48))
    with pytest.raises(DatasetError, match="47x90 px is too small for center-crop-wide 48x32: the width must be at"):
        transform.geometry((90, 47))
    with pytest.raises(DatasetError, match="the width must be at least 48 px and the height at least 0.667 times"):
        transform.geometry((40, 90))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "centre"}, "no such transform centre; choose from none, center-crop, center-crop-wide"),
        ({"name": "center-crop-wide"}, "center-crop-wide needs a resolution"),
        ({"name": "none", "size": (0, 4)}, "resolution is 4x0; both must be from 1 to 8192 px"),
        ({"size": (99999, 8192)}, "resolution is 8192x99999; both must be from 1 to 8192 px"),
        ({"name": "center-crop-wide", "size": (48, 32)}, "width must be at least the height"),
    ],
)
def test_an_invalid_transform_is_an_error(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ImageTransform(**arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def white_box_image(box: tuple[float, ...], size: tuple[int, int]) -> np.ndarray:
    """A black image with a white box."""
    pixels = np.zeros((*size, 3), np.uint8)
    x, y, w, h = map(int, box)
    pixels[y : y + h, x : x + w] = 255
    return pixels


def white_box(pixels: np.ndarray) -> tuple[float, ...]:
    """The white box in an image, (x, y, width, height)."""
    rows, columns = (np.flatnonzero((pixels[..., 0] > 127).any(axis=axis)) for axis in (1, 0))
    return columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]


@pytest.mark.parametrize(
    "transform",
    [
        ImageTransform(name="none", size=(64, 48)),
        ImageTransform(name="center-crop", size=(32, 32)),
        ImageTransform(name="center-crop", size=(96, 48)),
        ImageTransform(name="center-crop-wide", size=(40, 64)),
    ],
    ids=str,
)
def test_boxes_are_those_of_the_crop_before_resizing(transform: ImageTransform) -> None:
    size, box = (120, 160), (64.0, 44.0, 32.0, 40.0)
    geometry = transform.geometry(size)
    result = transform.scene(Scene(source_name="a", size=size, full_boxes=np.array([box])), geometry)
    image = Image.fromarray(white_box_image(box, size))
    assert result.size == geometry.crop_size
    assert tuple(result.full_boxes[0]) == white_box(transform.pixels(image, geometry.before_resizing()))
    assert result.crop is not None
    x, y, w, h = result.full_boxes[0]
    assert result.crop.project(np.array([[64.0, 44.0], [96.0, 84.0]])).tolist() == [[x, y], [x + w, y + h]]
    (scale_x, scale_y), (padding_x, padding_y) = geometry.scale_xy, geometry.padding_xy
    resized = (x * scale_x + padding_x, y * scale_y + padding_y, w * scale_x, h * scale_y)
    assert white_box(transform.pixels(image, geometry)) == pytest.approx(resized, abs=1.0)


@pytest.mark.parametrize("name", ["none", "center-crop"])
def test_the_scene_does_not_depend_on_the_target_size(name: TransformName) -> None:
    rng = np.random.default_rng(3)
    boxes = rng.uniform([0, 0, 5, 10], [630, 470, 60, 150], (40, 4))
    scene = Scene(source_name="a", size=(481, 643), full_boxes=boxes, focal_length_px=600.0)
    results = [
        transform.scene(scene, transform.geometry(scene.size))
        for transform in (ImageTransform(name=name, size=(side, 2 * side)) for side in (32, 64, 500, 1024))
    ]
    for result in results:
        assert (result.size, result.focal_length_px) == (results[0].size, 600.0)
        assert np.array_equal(result.full_boxes, results[0].full_boxes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_rotated_with_the_pixels(orientation: int) -> None:
    size = (40, 60)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(white_box_image(BODY, size))
    image.info["exif"] = exif.tobytes()
    people = rotate_annotations(PersonAnnotations(full_boxes=np.array([BODY])), size, orientation)
    rotated = np.asarray(ImageOps.exif_transpose(image))
    assert tuple(people.full_boxes[0]) == white_box(rotated)


def crop_scene(**arrays: list[tuple[float, ...]]) -> Scene:
    """The scene of the centre crop of 100 x 100 px, to be resized to 50 x 50 px, of an image of 200 x 100 px."""
    boxes = {name: np.array(rows, float) for name, rows in arrays.items() if name != "ignore"}
    ignore = np.array(arrays.get("ignore", []), bool)
    scene = Scene(source_name="a", size=(100, 200), ignore=ignore, focal_length_px=300.0, **boxes)
    transform = ImageTransform(name="center-crop", size=(50, 50))
    return transform.scene(scene, transform.geometry(scene.size))


def test_a_person_is_kept_if_half_of_the_visible_box_is_inside() -> None:
    full = [(30.0, 0.0, 60.0, 90.0)] * 3
    visible = [(40.0, 0.0, 20.0, 10.0), (39.0, 0.0, 20.0, 10.0), (140.0, 50.0, 20.0, 10.0)]
    scene = crop_scene(full_boxes=full, visible_boxes=visible)
    assert scene.visible_boxes[:, 0].tolist() == [-10.0, 90.0]
    assert scene.full_boxes.tolist() == [[-20.0, 0.0, 60.0, 90.0]] * 2, "full boxes are not clipped"


def test_a_missing_visible_box_is_replaced_by_the_clipped_full_box_or_the_head() -> None:
    scene = crop_scene(full_boxes=[(120.0, 90.0, 40.0, 80.0), (20.0, 0.0, 40.0, 80.0)])
    assert len(scene) == 1
    heads = crop_scene(head_boxes=[(49.9, 5.0, 0.0, 0.0), (50.0, 5.0, 0.0, 0.0), (150.0, 5.0, 0.0, 0.0)])
    assert heads.head_boxes.tolist() == [[0.0, 5.0, 0.0, 0.0]]


def test_an_ignore_region_is_kept_if_any_part_is_inside() -> None:
    boxes = [(0.0, 0.0, 51.0, 100.0), (0.0, 0.0, 50.0, 100.0), (60.0, 0.0, 10.0, 10.0)]
    scene = crop_scene(full_boxes=boxes, ignore=[True, True, False])  # type: ignore[list-item]
    assert scene.ignore.tolist() == [True, False]


def test_the_crop_of_a_reduced_image_is_scaled() -> None:
    geometry = ImageTransform(name="center-crop-wide", size=(64, 512)).geometry((3000, 4000))
    half = geometry.rescale_input(0.5, 0.5)
    assert (half.left, half.top, half.crop_size) == (0, geometry.top // 2, (geometry.crop_size[0] // 2, 2000))
    assert half.out_size == geometry.out_size
