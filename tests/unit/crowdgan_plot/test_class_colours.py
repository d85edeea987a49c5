"""Colours of classes: distinguishable for every colour vision, in greyscale, and over images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from crowdgan_plot.density.image_drawing import BACKGROUND_WHITENESS
from crowdgan_plot.density.layer_drawing import FILL_ALPHA
from crowdgan_plot.style import class_colours, text_colour_on

MAX_CLASSES = 6
"""Classes of the published scales."""

MIN_DIFFERENCE = {"normal": 30, "protanopia": 18, "deuteranopia": 18, "tritanopia": 18, "greyscale": 15}
"""Minimum ΔE of neighbouring classes; 2.3 is just noticeable (Mahy et al. 1994)."""

MIN_DIFFERENCE_OVER_IMAGES = 8
"""Minimum ΔE of neighbouring classes drawn over grey of one brightness."""

LINEAR_RGB_SEEN = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
    "greyscale": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}
"""Linear RGB seen for linear RGB shown.

Source: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE
TVCG 2009, severity 1.0; greyscale: luminance of ITU-R BT.709.
"""

XYZ_FROM_LINEAR_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""sRGB, IEC 61966-2-1."""

WHITE_XYZ = np.array([0.95047, 1.0, 1.08883])
"""D65."""


def lab_seen(colours: np.ndarray, vision: str) -> np.ndarray:
    """CIELAB coordinates of sRGB colours `[num_colours, 3]` as seen."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ LINEAR_RGB_SEEN[vision].T, 0, 1)
    ratios = seen @ XYZ_FROM_LINEAR_RGB.T / WHITE_XYZ
    x, y, z = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def class_rgb(count: int) -> np.ndarray:
    return np.array([to_rgb(colour) for colour in class_colours(count)])


def min_difference(colours: np.ndarray, vision: str) -> float:
    """The minimum ΔE (CIELAB, 1976) of two colours."""
    pairs = itertools.combinations(lab_seen(colours, vision), 2)
    return min(float(np.linalg.norm(first - second)) for first, second in pairs)


def test_the_difference_of_black_and_white_is_100() -> None:
    for vision in LINEAR_RGB_SEEN:
        assert min_difference(np.array([[0.0, 0, 0], [1, 1, 1]]), vision) == pytest.approx(100, abs=0.1)
    assert min_difference(np.array([[1.0, 0, 0], [0.55, 0.55, 0]]), "deuteranopia") < 40  # red and olive are similar


@pytest.mark.parametrize("vision", MIN_DIFFERENCE)
@pytest.mark.parametrize("count", range(2, MAX_CLASSES + 1))
def test_classes_differ_for_every_colour_vision(count: int, vision: str) -> None:
    assert min_difference(class_rgb(count), vision) >= MIN_DIFFERENCE[vision]


@pytest.mark.parametrize("vision", MIN_DIFFERENCE)
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_classes_differ_over_images(grey: float, vision: str) -> None:
    background = grey + BACKGROUND_WHITENESS * (1 - grey)
    shown = FILL_ALPHA * class_rgb(MAX_CLASSES) + (1 - FILL_ALPHA) * background
    assert min_difference(shown, vision) >= MIN_DIFFERENCE_OVER_IMAGES


@pytest.mark.parametrize("vision", LINEAR_RGB_SEEN)
def test_denser_classes_are_darker(vision: str) -> None:
    assert (np.diff(lab_seen(class_rgb(MAX_CLASSES), vision)[:, 0]) < -10).all()


def test_text_on_the_colour_of_a_class_has_the_higher_contrast() -> None:
    assert [text_colour_on(colour) for colour in class_colours(MAX_CLASSES)] == ["black"] * 2 + ["white"] * 4
    assert text_colour_on("#222222", alpha=0.3) == "black"
