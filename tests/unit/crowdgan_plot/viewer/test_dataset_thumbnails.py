"""Thumbnails of the images of a dataset."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_plot.viewer.dataset.annotations import ImageBoxes
from crowdgan_plot.viewer.dataset.thumbnails import make_thumbnail

NO_BOXES = np.empty((0, 4))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((32, 48), (32, 48)), ((200, 200), (200, 200)), ((300, 600), (100, 200)), ((900, 9), (200, 2))],
)
def test_large_images_are_reduced_and_small_ones_kept(size: tuple[int, int], expected: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, np.uint8)
    thumbnail = make_thumbnail(pixels)
    assert thumbnail.shape == (*expected, 3)
    assert (thumbnail == 90).all()


@pytest.mark.parametrize("size", [(20, 40), (150, 300), (400, 800)])
def test_boxes_are_drawn_at_their_place_in_the_image(size: tuple[int, int]) -> None:
    height, width = size
    people = np.array([[0.5, 0.25, 0.25, 0.5]]) * [width, height, width, height]
    heads = np.array([[0.25 * width, 0.5 * height]])
    pixels = np.zeros((*size, 3), np.uint8)
    thumbnail = make_thumbnail(pixels, ImageBoxes(size=size, people=people, ignore_regions=NO_BOXES, heads=heads))
    assert thumbnail.shape == (100, 200, 3)
    assert thumbnail[25, 125].any()  # upper edge
    assert thumbnail[50, 150].any()  # right edge
    assert not thumbnail[50, 125].any()  # inside
    assert thumbnail[50, 50].any()  # head
    assert not pixels.any()


def test_ignore_regions_have_another_colour() -> None:
    boxes = ImageBoxes(
        size=(200, 200), people=NO_BOXES, ignore_regions=np.array([[50.0, 50, 50, 50]]), heads=np.empty((0, 2))
    )
    red, green, blue = make_thumbnail(np.zeros((200, 200, 3), np.uint8), boxes)[50, 60]
    assert red == green == blue > 0
