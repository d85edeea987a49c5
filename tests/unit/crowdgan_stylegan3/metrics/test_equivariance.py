"""Translated and rotated images equal recorded numbers; equivariance of random generators."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdgan_stylegan3.metrics.equivariance import (
    fractional_pseudo_rotation,
    fractional_rotation,
    fractional_translation,
    integer_translation,
)
from tests.support.recorded_values import load_arrays, load_json

TRANSLATIONS = {"int": integer_translation, "frac": fractional_translation}
ROTATIONS = {"rot": fractional_rotation, "pseudo": fractional_pseudo_rotation}


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize("name", ["int", "frac", "rot", "pseudo"])
def test_images_and_masks_equal_recorded_numbers(name: str, case: int) -> None:
    parameters, recorded = load_json("metrics/metrics")["equivariance"][case], load_arrays("metrics/equivariance")
    x, image, mask = (torch.from_numpy(recorded[key]) for key in ("x", f"{name}{case}", f"{name}{case}_mask"))
    if name in TRANSLATIONS:
        moved = TRANSLATIONS[name](x, parameters["tx"], parameters["ty"])
    else:
        moved = ROTATIONS[name](x, parameters["angle_rad"])
    assert (moved[0] - image).abs().max() <= 1e-4 * image.abs().max()
    assert torch.equal(moved[1], mask)


@pytest.mark.parametrize("name", [*TRANSLATIONS, *ROTATIONS])
def test_no_movement_gives_the_input(name: str) -> None:
    x = torch.rand(1, 2, 24, 32)
    if name in TRANSLATIONS:
        image, mask = TRANSLATIONS[name](x, 0.0, 0.0)
    else:
        image, mask = ROTATIONS[name](x, 0.0)
    assert torch.allclose(image, x, atol=1e-6 if name in TRANSLATIONS else 0.02)  # a rotation also limits the band
    assert mask[..., 8:16, 8:24].min() == 1


def test_a_quarter_turn_is_counterclockwise_about_the_centre() -> None:
    x = torch.zeros(1, 1, 33, 33)
    x[..., 16, 22] = 1.0  # to the right of the centre
    image, mask = fractional_rotation(x, np.pi / 2)
    assert divmod(int(image.argmax()), 33) == (10, 16)  # above it
    assert image.max() == pytest.approx(1, abs=0.02)
    assert mask[..., 10, 16] == 1


def test_translations_by_whole_pixels_agree_on_rectangular_images() -> None:
    x = torch.rand(2, 1, 20, 40)
    whole, _ = integer_translation(x, 3 / 40, -2 / 20)
    fractional, mask = fractional_translation(x, 3 / 40, -2 / 20)
    assert torch.allclose(whole * mask, fractional * mask, atol=1e-6)
    assert torch.equal(whole[..., :18, 3:], x[..., 2:, :37])
