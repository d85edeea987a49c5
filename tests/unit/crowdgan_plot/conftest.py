"""Shared fixtures of the figure tests: empty figures in the style, and comparison with baseline images."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from crowdgan_plot.style import encode_figure, new_figure, plot_style

BASELINE_FOLDER = Path(__file__).parent / "baseline"

BASELINE_DPI = 50

BASELINE_MATPLOTLIB = "3.11"
"""Version of matplotlib that rendered the baseline images; other versions render text differently."""

WRITE_VARIABLE = "CROWDGAN_WRITE_BASELINE"
"""Environment variable that writes new baseline images, after an intended change of a figure; then look at them."""

MAX_MEAN_DIFFERENCE = 2.0
"""Mean difference of pixel values (0 to 255) below which two images are equal: allows for anti-aliasing."""

CompareWithBaseline = Callable[[Figure, str], None]


@pytest.fixture
def figure() -> Iterator[Figure]:
    """An empty figure; the style applies during the test."""
    with plot_style():
        yield new_figure()


@pytest.fixture
def compare_with_baseline() -> CompareWithBaseline:
    """Compares a figure with a baseline image: `compare_with_baseline(figure, "losses")`."""

    def compare(figure: Figure, name: str) -> None:
        if not mpl.__version__.startswith(f"{BASELINE_MATPLOTLIB}."):
            pytest.skip(f"the baseline images need matplotlib {BASELINE_MATPLOTLIB}; this is {mpl.__version__}")
        with plot_style():
            data = encode_figure(figure, "png", dpi=BASELINE_DPI)
        actual = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
        path = BASELINE_FOLDER / f"{name}.png"
        if WRITE_VARIABLE in os.environ:
            path.write_bytes(data)
        expected = np.asarray(Image.open(path).convert("RGB"), float)
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).mean() < MAX_MEAN_DIFFERENCE

    return compare
