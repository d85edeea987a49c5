from __future__ import annotations

import numpy as np

from crowdgan_core.synthetic.render.renderer import SCENERY_INDEX
from tests.support.synthetic_worlds import SIZE, example_world, render, small_random_world, synthetic_person


def test_an_image_has_the_requested_size_and_three_channels() -> None:
    for size in [(120, 160), (160, 120), (97, 131)]:
        rendered = render(small_random_world(0, size))
        assert rendered.pixels.shape == (*size, 3)
        assert rendered.pixels.dtype == np.uint8
        assert rendered.pixels.std() > 10


def test_drawing_order_follows_depth_and_not_list_order() -> None:
    near, far = synthetic_person(0.1, 5), synthetic_person(0, 8)
    first, second = render(example_world(near, far)).person_index, render(example_world(far, near)).person_index
    swapped = np.select([second == 0, second == 1], [1, 0], second)
    assert np.mean(first != swapped) < 0.02  # clothes differ, and therefore the outlines slightly


def test_person_index_marks_the_pixels_of_people() -> None:
    rendered = render(example_world(synthetic_person(0, 7)))
    empty = render(example_world(synthetic_person(200, 7)))
    assert (empty.person_index == SCENERY_INDEX).all()
    assert (rendered.person_index == 0).sum() > 300
    rows, columns = np.nonzero(rendered.person_index == 0)
    assert rows.max() < SIZE[0]
    assert np.ptp(columns) < np.ptp(rows)


def test_equal_seeds_render_equal_images() -> None:
    first, second = render(small_random_world(1)), render(small_random_world(1))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.person_index, second.person_index)
