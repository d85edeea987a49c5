"""Texts next to points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from crowdgan_core.density.layers import PointLayer
from crowdgan_plot.density.point_texts import draw_point_texts


def write_texts(figure: Figure, points: list[list[float]], *more: PointLayer) -> tuple[Axes, list[Bbox]]:
    """Axes from 0 to 10, and the rectangles of the texts written in them."""
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    texts = [f"{number}.5 · E" for number in range(len(points))]
    draw_point_texts(axes, [*more, PointLayer(label="spots", points=np.array(points), texts=texts)])
    figure.draw_without_rendering()
    written = [item for item in axes.texts if isinstance(item, Annotation)]
    return axes, [Text.get_window_extent(item) for item in written]


@pytest.mark.parametrize(
    "points",
    [
        [[5.0, 5.0], [5.2, 5.1], [4.9, 5.2]],
        [[0.1, 0.1], [9.9, 9.9], [0.1, 9.9], [9.9, 0.1]],
        [[5.0, 9.8], [5.3, 9.8], [5.6, 9.8]],
    ],
    ids=["close", "corners", "upper edge"],
)
def test_texts_are_inside_the_axes_and_do_not_overlap(figure: Figure, points: list[list[float]]) -> None:
    axes, rectangles = write_texts(figure, points)
    assert len(rectangles) == len(points)
    window = axes.get_window_extent()
    for rectangle in rectangles:
        assert (rectangle.min >= window.min).all()
        assert (rectangle.max <= window.max).all()
        assert not any(rectangle.contains(*axes.transData.transform(point)) for point in points)
    for first, second in itertools.combinations(rectangles, 2):
        assert not first.overlaps(second)


def test_texts_cover_no_people_where_there_is_space(figure: Figure) -> None:
    rng = np.random.default_rng(0)
    people = PointLayer(label="people", points=np.vstack([rng.uniform([3, 0], [7, 10], (300, 2))]))
    axes, [rectangle] = write_texts(figure, [[6.9, 5.0]], people)
    covered = [rectangle.contains(*axes.transData.transform(point)) for point in people.points]
    assert not any(covered)


def test_points_outside_the_axes_have_no_text(figure: Figure) -> None:
    assert len(write_texts(figure, [[5.0, 5.0], [12.0, 5.0], [np.nan, np.nan]])[1]) == 1
