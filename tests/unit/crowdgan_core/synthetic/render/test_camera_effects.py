from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.synthetic.render.camera_effects import BLUR_RANGE_PX, _blur, apply_camera_effects
from crowdgan_core.synthetic.render.float_image import BLOCK_ROWS, row_blocks
from crowdgan_core.synthetic.world.world import Light


@pytest.mark.parametrize("sd_px", [*BLUR_RANGE_PX, 0.45])
def test_blur_has_the_requested_standard_deviation_and_keeps_the_mean(sd_px: float) -> None:
    point = np.zeros((9, 9), np.uint8)
    point[4, 4] = 255
    blurred = _blur(point, sd_px).astype(float)
    offsets = np.arange(9) - 4
    assert blurred.sum() == pytest.approx(255, abs=4)
    assert (blurred.sum(axis=0) @ offsets**2) / blurred.sum() == pytest.approx(sd_px**2, abs=0.02)
    np.testing.assert_array_equal(_blur(np.full((5, 7), 255, np.uint8), sd_px), 255)


def test_effects_apply_to_every_row_and_add_noise_of_the_same_level_to_all_channels() -> None:
    height = 2 * BLOCK_ROWS + 5
    image = Image.new("RGB", (64, height), (120, 120, 120))
    light = Light(azimuth_rad=0.0, elevation_rad=0.7, strength=1.0)
    brightness = np.ones((height, 64), np.float32)
    bright = apply_camera_effects(np.random.default_rng(2), image, brightness, light)
    dark = apply_camera_effects(np.random.default_rng(2), image, 0.5 * brightness, light)
    assert bright.shape == (height, 64, 3)
    assert 100 < bright.mean() < 150
    np.testing.assert_allclose(dark.mean(axis=(1, 2)), bright.mean(axis=(1, 2)) / 2, atol=1.0)
    noise = np.diff(bright.astype(float), axis=1)  # free of vignetting
    assert 0.5 < noise.std() / np.sqrt(2) < 2
    assert np.corrcoef(noise.reshape(-1, 3).T).min() > 0.5


def test_row_blocks_contain_each_row_once() -> None:
    for height in (1, BLOCK_ROWS, 3 * BLOCK_ROWS + 1):
        assert [row for block in row_blocks(height) for row in range(height)[block]] == list(range(height))
