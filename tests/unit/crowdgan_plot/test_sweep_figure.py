"""Figure of a density sweep."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError
from crowdgan_plot.sweep_figure import plot_sweep


def grey_images(count: int) -> list[np.ndarray]:
    return [np.full((32, 48, 3), 40 * index, np.uint8) for index in range(count)]


def test_every_image_is_drawn_with_its_caption(figure: Figure) -> None:
    result = plot_sweep(grey_images(3), ["sparse", "medium", "dense"], title="seed 3", figure=figure)
    assert result is figure
    assert [axes.get_xlabel() for axes in figure.get_axes()] == ["sparse", "medium", "dense"]
    assert [axes.images[0].get_array().max() for axes in figure.get_axes()] == [0, 40, 80]
    assert figure.get_suptitle() == "seed 3"
    figure.draw_without_rendering()


@pytest.mark.parametrize(("image_count", "caption_count"), [(0, 0), (2, 1)])
def test_an_empty_sweep_or_a_missing_caption_is_an_error(image_count: int, caption_count: int) -> None:
    with pytest.raises(ConfigError) as caught:
        plot_sweep(grey_images(image_count), ["a"] * caption_count)
    assert str(caught.value) == (
        f"{image_count} images and {caption_count} captions; give one caption per image, at least one"
    )
