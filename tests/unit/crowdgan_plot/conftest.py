"""What the tests of figures share: empty figures in the house's style, and images to compare them with."""

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

BASELINE = Path(__file__).parent / "baseline"

BASELINE_DPI = 50

MADE_WITH = "3.11"
"""Version of matplotlib that made the images; others place and draw letters otherwise."""

WRITE = "CROWDGAN_WRITE_BASELINE"
"""Environment variable: set it to write the images anew after a figure was changed on purpose; then look at them."""

TOLERANCE = 2.0
"""Mean difference of 255 up to which two images count as the same: anti-aliasing, not the place of a line."""

LooksLike = Callable[[Figure, str], None]


@pytest.fixture
def figure() -> Iterator[Figure]:
    """An empty slide, and the house's style while the test draws."""
    with plot_style():
        yield new_figure()


@pytest.fixture
def looks_like() -> LooksLike:
    """Compares a figure with the image of a name; `looks_like(figure, "losses")`."""

    def compare(figure: Figure, name: str) -> None:
        if not mpl.__version__.startswith(f"{MADE_WITH}."):
            pytest.skip(f"the images were made by matplotlib {MADE_WITH}; this is {mpl.__version__}")
        data = encode_figure(figure, "png", dpi=BASELINE_DPI)
        found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
        path = BASELINE / f"{name}.png"
        if WRITE in os.environ:
            path.write_bytes(data)
        expected = np.asarray(Image.open(path).convert("RGB"), float)
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < TOLERANCE

    return compare
