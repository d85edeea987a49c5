"""Augmentations compared with values recorded from the published implementation.

The tolerance is 1e-4 of the largest absolute value. All random parameters are at one percentile of their distribution.
"""

from __future__ import annotations

import pytest
import torch

from crowdgan_stylegan3.training.augment import AugmentPipe, AugmentPreset, augment_preset
from tests.support.recorded_values import load_arrays

RELATIVE_TOLERANCE = 1e-4

PRESETS: tuple[AugmentPreset, ...] = ("bgc", "blit", "geom", "color", "filter", "cutout")
PERCENTILES = (0.05, 0.3, 0.5, 0.8, 0.95)


@pytest.fixture(autouse=True, params=["reference", "native"])
def _op_implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", request.param)


@pytest.fixture(scope="module")
def recorded() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in load_arrays("augment/augment").items()}


@pytest.mark.parametrize("percentile", PERCENTILES)
@pytest.mark.parametrize("preset", PRESETS)
def test_augmentations_equal_the_recorded_values(
    recorded: dict[str, torch.Tensor], preset: AugmentPreset, percentile: float
) -> None:
    expected = recorded[f"{preset}_{percentile}"]
    actual = AugmentPipe(augment_preset(preset))(recorded["x"], debug_percentile=percentile)
    torch.testing.assert_close(actual, expected, rtol=0, atol=RELATIVE_TOLERANCE * float(expected.abs().max()))


def test_every_recorded_value_is_compared(recorded: dict[str, torch.Tensor]) -> None:
    compared = {f"{preset}_{percentile}" for preset in PRESETS for percentile in PERCENTILES}
    assert recorded.keys() == {"x", *compared}
    assert all(len(item) == 3 for item in recorded.values())
