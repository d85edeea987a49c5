from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.synthetic.people.appearance import random_appearance
from crowdgan_core.synthetic.people.projection import ProjectedBodies, project_people
from crowdgan_core.synthetic.render.layers import COLOUR_LAYERS, DRAWN_LAYERS, MAX_LAYERS, body_polygons
from crowdgan_core.synthetic.render.sprites import draw_sprites
from tests.support.synthetic_worlds import SIZE, example_world, synthetic_person


def project(*positions_m: tuple[float, float]) -> ProjectedBodies:
    people = tuple(synthetic_person(x, y) for x, y in positions_m)
    appearance = random_appearance(np.random.default_rng(3), len(people))
    return project_people(people, appearance, example_world(*people).camera, (0.3, 0.5), np.full(3, 200.0))


def count_polygons(bodies: ProjectedBodies, rect: tuple[int, int, int, int]) -> int:
    (polygons,) = body_polygons(bodies, np.array([0]), np.array([rect]), np.array([2]))
    assert len(polygons.outlines) == len(polygons.fills)
    return len(polygons.fills)


def test_all_layers_of_large_parts_have_their_own_colour_and_one_layer_has_the_middle_one() -> None:
    np.testing.assert_array_equal(DRAWN_LAYERS.sum(axis=1), np.arange(MAX_LAYERS + 1))
    assert DRAWN_LAYERS[1:, 0].all()
    np.testing.assert_array_equal(COLOUR_LAYERS[MAX_LAYERS], np.arange(MAX_LAYERS))
    assert COLOUR_LAYERS[1, 0] == 3


def test_near_bodies_have_more_polygons_than_far_ones() -> None:
    whole = (0, -1000, 320, 1000)
    near, middle, far = (count_polygons(project((0.0, y_m)), whole) for y_m in (2.0, 8.0, 40.0))
    assert near > 1.5 * middle > 1.5 * far
    assert far < 40


def test_parts_below_the_canvas_are_not_drawn() -> None:
    bodies = project((0.0, 3.0))
    assert count_polygons(bodies, (0, 0, 320, 120)) < 0.7 * count_polygons(bodies, (0, 0, 320, 1000))


@pytest.mark.parametrize("y_m", [5.0, 9.0, 20.0, 60.0])
def test_drawn_bodies_fill_their_boxes_without_a_shift(y_m: float) -> None:
    bodies = project(*((x_m, y_m) for x_m in np.linspace(-1.5, 1.5, 40)))
    sprites = list(draw_sprites(bodies, SIZE))
    edges = []
    for sprite in sprites:
        rows, columns = np.nonzero(sprite.opaque)
        drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        edges.append(np.array(drawn) + np.array(sprite.rect[:2] * 2) - bodies.full_boxes[sprite.index])
    assert len(edges) == 40
    left, top, right, bottom = np.mean(edges, axis=0)
    assert abs(left + right) < 0.5
    assert abs(top + bottom) < 0.5
    assert np.abs(edges).max() <= 2
