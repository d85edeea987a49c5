"""Low-pass filters, compared with those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch

from crowdgan_stylegan3.networks.filters import lowpass_filter


@pytest.mark.parametrize("taps", [2, 6, 7, 12, 24])
@pytest.mark.parametrize("relative_cutoff", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("relative_width", [0.02, 0.3, 1.1, 1.9])
def test_separable_filters_equal_those_of_scipy(taps: int, relative_cutoff: float, relative_width: float) -> None:
    rate = 64.0
    cutoff, width = relative_cutoff * rate / 2, relative_width * rate / 2
    taps_of_scipy = scipy.signal.firwin(taps, cutoff, width=width, fs=rate)
    actual = lowpass_filter(taps, cutoff=cutoff, width=width, rate=rate, radial=False)
    assert actual is not None
    assert np.array_equal(actual.numpy(), taps_of_scipy.astype(np.float32))


def test_radial_filters_are_symmetric_with_sum_1() -> None:
    actual = lowpass_filter(12, cutoff=8.0, width=6.0, rate=64.0, radial=True)
    assert actual is not None
    assert actual.sum().item() == pytest.approx(1)
    assert torch.equal(actual, actual.T)
    assert torch.equal(actual, actual.flip(0))


def test_a_single_tap_is_the_identity() -> None:
    assert lowpass_filter(1, cutoff=8.0, width=6.0, rate=64.0, radial=False) is None
