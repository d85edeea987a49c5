"""A filter of one tap between upsampling and downsampling by the same factor."""

from __future__ import annotations

import torch

from crowdgan_stylegan3.ops import upfirdn2d


def test_samples_inserted_by_upsampling_are_zero() -> None:
    x = torch.ones(1, 1, 3, 3)
    assert upfirdn2d(x, None, up=2, down=2, padding=(1, 0, 0, 0)).tolist() == [[[[0.0] * 4] * 3]]
    assert upfirdn2d(x, None, up=2, down=2, padding=(2, 0, 0, 0)).tolist() == [[[[0.0, 1.0, 1.0, 1.0]] * 3]]
