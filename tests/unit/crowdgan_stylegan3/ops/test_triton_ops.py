"""The Triton kernels, interpreted on the CPU, compared with the reference.

Tolerances are relative to the norm of the expected values. In float32: 1e-5, for single values relative to the largest
value. In half precision, compared with the float32 reference of the same values: 2e-3, a few roundings of 5e-4 each.
Derivatives of the filtered leaky ReLU in half precision: 5e-2, because an upsampled sample that rounds to the other
side of a kink changes by the full difference of the slopes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops.arguments import ACTIVATIONS, FilteredLrelu, Resampling, filter_size, parse_resampling
from tests.support.triton_interpreter import interpreted_ops

GAIN, SLOPE = 2**0.5, 0.2
TOLERANCES = {torch.float32: 1e-5, torch.float16: 2e-3}
KINK_TOLERANCE = 5e-2


@pytest.fixture(scope="module")
def ops() -> Iterator[ModuleType]:
    yield from interpreted_ops()


def assert_close(result: Tensor, expected: Tensor, tolerance: float) -> None:
    assert result.shape == expected.shape
    error = (result.float() - expected).norm() / expected.norm().clamp(min=1e-3)
    assert float(error) <= tolerance  # fails for NaN
    if result.dtype == torch.float32:
        assert float((result - expected).abs().max()) <= 1e-5 * max(float(expected.abs().max()), 1.0)


def normal_values(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def lowpass_filter(taps: int) -> Tensor:
    f = torch.hann_window(taps + 2, periodic=False)[1:-1]
    return f / f.sum()


def radial_filter(taps: int) -> Tensor:
    positions = torch.arange(taps) - (taps - 1) / 2
    f = torch.exp(-torch.cosh(torch.hypot(positions[:, None], positions[None, :]) * 4 / taps))
    return f / f.sum()


def with_layout(x: Tensor, layout: str) -> Tensor:
    """The same values with other strides."""
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "gaps":
        return torch.stack([x, x + 1], -1)[..., 0]
    return x.transpose(2, 3).contiguous().transpose(2, 3) if layout == "columns" else x


LAYOUTS = ("plain", "channels_last", "gaps", "columns")


@pytest.mark.parametrize("down", [1, 2, 4])
@pytest.mark.parametrize("up", [1, 2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_upfirdn2d_and_its_transpose_equal_the_reference(
    ops: ModuleType, dtype: torch.dtype, up: int, down: int
) -> None:
    rng, max_size = random.Random(up * 10 + down), 20 if up < 4 else 11
    for index, layout in enumerate(LAYOUTS):
        f = [normal_values(1, 6), normal_values(2, 5, 4).abs() + 0.5, normal_values(3, 1), radial_filter(12)][index]
        size = (rng.randint(max_size - 7, max_size), rng.randint(max_size - 7, max_size))
        x = with_layout(normal_values(index, 1, 3, *size).to(dtype), layout)
        padding = [rng.randint(-2, 6) for _ in range(4)]
        if up < 4 > down:
            resampling = parse_resampling((up, down), (down, up), padding, flip_filter=index % 2 == 0, gain=1.5)
        else:
            resampling = parse_resampling(up, down, padding, flip_filter=index % 2 == 0, gain=1.5)
        assert ops.unsupported_reason(x, (f, resampling)) is None
        expected = reference.upfirdn2d(x.float(), f, resampling)
        assert_close(ops.upfirdn2d(x, f, resampling), expected, TOLERANCES[dtype])
        transposed = resampling.transposed((x.shape[2], x.shape[3]), filter_size(f))
        v = normal_values(9, *expected.shape).to(dtype)
        assert_close(ops.upfirdn2d(v, f, transposed), reference.upfirdn2d(v.float(), f, transposed), TOLERANCES[dtype])


def test_upfirdn2d_of_a_single_sample_equals_the_reference(ops: ModuleType) -> None:
    x, f, resampling = normal_values(0, 2, 1, 1, 1), normal_values(1, 4), parse_resampling(2, 1, (2, 1, 2, 1))
    assert_close(ops.upfirdn2d(x, f, resampling), reference.upfirdn2d(x, f, resampling), 1e-5)


def test_tiles_join_without_seams(ops: ModuleType) -> None:
    x, f, resampling = normal_values(0, 1, 9, 70, 131), normal_values(1, 12), parse_resampling(1, 2, 5)
    assert_close(ops.upfirdn2d(x, f, resampling), reference.upfirdn2d(x, f, resampling), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_bias_act_and_its_derivatives_equal_the_reference(ops: ModuleType, act: Any, dtype: torch.dtype) -> None:
    tolerance = {torch.bfloat16: 1e-2, torch.float64: 1e-6}.get(dtype) or TOLERANCES[dtype]
    for index, (layout, clamp) in enumerate(zip(LAYOUTS, (None, 0.8, 0.9, None), strict=True)):
        x, v = with_layout(normal_values(index, 2, 3, 9, 11).to(dtype), layout), normal_values(5, 2, 3, 9, 11).to(dtype)
        b = None if index == 3 else normal_values(6, x.shape[index]).to(dtype)
        total = (x if b is None else x + b.reshape([-1 if axis == index else 1 for axis in range(4)])).float()
        total.requires_grad_()
        y = reference.bias_act(total, None, 0, act, SLOPE, 1.3, clamp)
        (first,) = torch.autograd.grad(y, total, v.float(), create_graph=True)
        second = torch.zeros_like(total)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first, total, torch.ones_like(first))
        for order, expected in enumerate((y, first, second)):
            result = ops.bias_act(v if order else None, x, b, index, act, SLOPE, 1.3, clamp, order)
            assert result.dtype == dtype
            if b is None or dtype == torch.float32 or clamp is None:  # else a rounded sum may cross a clamp
                assert_close(result, expected.detach(), tolerance)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_derivatives_of_bias_act_at_kinks_equal_the_reference(ops: ModuleType, act: Any) -> None:
    x, v = torch.zeros(4, 4, requires_grad=True), torch.ones(4, 4)
    (first,) = torch.autograd.grad(reference.bias_act(x, None, 1, act, SLOPE, 1.0, None), x, v, create_graph=True)
    second = torch.autograd.grad(first, x, v)[0] if first.requires_grad else torch.zeros(4, 4)
    for order, expected in ((1, first.detach()), (2, second)):
        assert_close(ops.bias_act(v, x.detach(), None, 1, act, SLOPE, 1.0, None, order), expected, 1e-5)


def test_bias_act_of_two_dimensions_equals_the_reference(ops: ModuleType) -> None:
    x, b = normal_values(0, 5, 7), normal_values(1, 7)
    expected = reference.bias_act(x, b, 1, "swish", 0, 1.0, None)
    assert_close(ops.bias_act(None, x, b, 1, "swish", 0, 1.0, None, 0), expected, 1e-5)


def filtered_lrelu_params(
    fu: Tensor, fd: Tensor, upsampling: Resampling, downsampling: Resampling, clamp: float | None = None
) -> FilteredLrelu:
    return FilteredLrelu(
        fu=fu, fd=fd, upsampling=upsampling, downsampling=downsampling, gain=GAIN, slope=SLOPE, clamp=clamp
    )


def example_params(up: int, down: int, is_radial: bool, size: tuple[int, int], clamp: float | None) -> FilteredLrelu:
    fu = lowpass_filter(6 * up) if up > 1 else torch.ones(1)
    fd = radial_filter(6 * down) if is_radial else lowpass_filter(6 * down)
    padding = 5 * down
    upsampling = parse_resampling(
        up, 1, (padding, padding - 1, padding + 2, -3 if size[0] * up > 12 else 3), gain=up**2, flip_filter=is_radial
    )
    return filtered_lrelu_params(fu, fd, upsampling, parse_resampling(1, down, 0, flip_filter=is_radial), clamp)


@pytest.mark.parametrize("is_radial", [False, True], ids=["separable", "radial"])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 2), (4, 2), (1, 2), (2, 1), (2, 4), (4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_filtered_lrelu_and_its_linearisation_equal_the_reference(
    ops: ModuleType, dtype: torch.dtype, up: int, down: int, is_radial: bool
) -> None:
    rng = random.Random(up * 10 + down)
    for index, clamp in enumerate((None, 0.7)):
        size = (rng.randint(6, 14), rng.randint(6, 24))
        params = example_params(up, down, is_radial, size, clamp)
        x = with_layout(normal_values(index, 1, 3, *size).to(dtype), LAYOUTS[index + 2 * is_radial])
        b = None if index else normal_values(7, 3).to(dtype)
        assert ops.filtered_lrelu_unsupported_reason(x, params) is None
        biased = reference.bias_act(x, b, 1, "linear", 0, 1.0, None).float().requires_grad_()
        y = reference.filtered_lrelu(biased, None, params)
        assert_close(ops.filtered_lrelu(x, b, params), y.detach(), TOLERANCES[dtype])
        v, w = normal_values(8, *y.shape).to(dtype), normal_values(9, *x.shape).to(dtype)
        cotangent = torch.zeros_like(y, requires_grad=True)
        (gradient_graph,) = torch.autograd.grad(y, biased, cotangent, create_graph=True)
        (expected_jvp,) = torch.autograd.grad(gradient_graph, cotangent, w.float(), retain_graph=True)
        (expected_vjp,) = torch.autograd.grad(y, biased, v.float())
        tolerance = TOLERANCES[dtype] if dtype == torch.float32 else KINK_TOLERANCE
        vjp = ops.filtered_lrelu_linear(v, x, b, params, True)
        jvp = ops.filtered_lrelu_linear(w, x, b, params, False)
        assert_close(vjp, expected_vjp, tolerance)
        assert_close(jvp, expected_jvp, tolerance)
        # The maps are transposes of each other for every mask, so kinks do not affect this comparison.
        products = float((vjp.float() * w.float()).sum()), float((jvp.float() * v.float()).sum())
        scale = float(jvp.float().norm() * v.float().norm())
        assert abs(products[0] - products[1]) <= 2 * TOLERANCES[dtype] * scale


def test_filtered_lrelu_of_a_single_sample_equals_the_reference(ops: ModuleType) -> None:
    params = filtered_lrelu_params(
        lowpass_filter(12), lowpass_filter(12), parse_resampling(2, 1, 11, gain=4), parse_resampling(1, 2, 0)
    )
    x, b = normal_values(0, 2, 2, 1, 1), normal_values(1, 2)
    assert_close(ops.filtered_lrelu(x, b, params), reference.filtered_lrelu(x, b, params), 1e-5)


def test_unsupported_arguments_are_computed_by_the_reference(ops: ModuleType) -> None:
    x, f = normal_values(0, 1, 1, 9, 9), normal_values(1, 70)
    long_resampling, factor_3 = parse_resampling(1, 1, 40), parse_resampling(3, 1, 4)
    assert "70" in ops.unsupported_reason(x, (f, long_resampling))
    assert (
        ops.unsupported_reason(x, (f[:4], factor_3))
        == "factors are up (3, 3), down (1, 1); the kernels support 1, 2 and 4"
    )
    assert (
        ops.unsupported_reason(x.double(), (f[:4], long_resampling))
        == "x is torch.float64; the kernels support float32 and float16"
    )
    assert_close(ops.upfirdn2d(x, f, long_resampling), reference.upfirdn2d(x, f, long_resampling), 1e-5)
    fu = normal_values(2, 40) / 6
    params = filtered_lrelu_params(fu, fu, parse_resampling(1, 1, 39), parse_resampling(1, 1, 0), clamp=1.0)
    assert "one after the other" in ops.filtered_lrelu_unsupported_reason(x, params)
    start = x.clone().requires_grad_()
    y = reference.filtered_lrelu(start, None, params)
    assert_close(ops.filtered_lrelu(x, None, params), y.detach(), 1e-5)
    v = normal_values(3, *y.shape)
    result = ops.filtered_lrelu_linear(v, x, None, params, True)
    assert_close(result, torch.autograd.grad(y, start, v)[0], 1e-5)


def test_a_changed_filter_is_not_read_from_the_cache(ops: ModuleType) -> None:
    x, f, resampling = normal_values(0, 1, 1, 8, 8), radial_filter(6), parse_resampling(1, 1, 0)
    before = ops.upfirdn2d(x, f, resampling)
    f.mul_(2)
    assert_close(ops.upfirdn2d(x, f, resampling), 2 * before, 1e-5)
