"""The Triton kernels, interpreted on the CPU, against the reference.

Float32 to 1e-5 of the largest value. Half precision against the float32 reference of the same numbers, by norm: 2e-3,
a few roundings of 5e-4 each; derivatives of the filtered leaky ReLU to 5e-2, for there a fine sample that rounds to the
other side of a kink changes by the whole step.
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
NORMS = {torch.float32: 1e-5, torch.float16: 2e-3}
KINK_NORM = 5e-2


@pytest.fixture(scope="module")
def ops() -> Iterator[ModuleType]:
    yield from interpreted_ops()


def agree(found: Tensor, expected: Tensor, norm: float) -> None:
    assert found.shape == expected.shape
    error = (found.float() - expected).norm() / expected.norm().clamp(min=1e-3)
    assert float(error) <= norm  # NaN is not
    if found.dtype == torch.float32:
        assert float((found - expected).abs().max()) <= 1e-5 * max(float(expected.abs().max()), 1.0)


def numbers(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def low_pass(taps: int) -> Tensor:
    f = torch.hann_window(taps + 2, periodic=False)[1:-1]
    return f / f.sum()


def radial(taps: int) -> Tensor:
    places = torch.arange(taps) - (taps - 1) / 2
    f = torch.exp(-torch.cosh(torch.hypot(places[:, None], places[None, :]) * 4 / taps))
    return f / f.sum()


def laid_out(x: Tensor, layout: str) -> Tensor:
    """The same numbers with other strides."""
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
    rng = random.Random(up * 10 + down)
    for index, layout in enumerate(LAYOUTS):
        f = [numbers(1, 6), numbers(2, 5, 4).abs() + 0.5, numbers(3, 1), radial(12)][index]
        x = laid_out(numbers(index, 1, 3, rng.randint(13, 20), rng.randint(13, 20)).to(dtype), layout)
        padding = [rng.randint(-2, 6) for _ in range(4)]
        if up < 4 > down:
            how = parse_resampling((up, down), (down, up), padding, flip_filter=index % 2 == 0, gain=1.5)
        else:
            how = parse_resampling(up, down, padding, flip_filter=index % 2 == 0, gain=1.5)
        assert ops.unsupported_reason(x, (f, how)) is None
        expected = reference.upfirdn2d(x.float(), f, how)
        agree(ops.upfirdn2d(x, f, how), expected, NORMS[dtype])
        back = how.transposed((x.shape[2], x.shape[3]), filter_size(f))
        v = numbers(9, *expected.shape).to(dtype)
        agree(ops.upfirdn2d(v, f, back), reference.upfirdn2d(v.float(), f, back), NORMS[dtype])


def test_upfirdn2d_of_a_single_sample_equals_the_reference(ops: ModuleType) -> None:
    x, f, how = numbers(0, 2, 1, 1, 1), numbers(1, 4), parse_resampling(2, 1, (2, 1, 2, 1))
    agree(ops.upfirdn2d(x, f, how), reference.upfirdn2d(x, f, how), 1e-5)


def test_tiles_meet_without_seams(ops: ModuleType) -> None:
    x, f, how = numbers(0, 1, 9, 70, 131), numbers(1, 12), parse_resampling(1, 2, 5)
    agree(ops.upfirdn2d(x, f, how), reference.upfirdn2d(x, f, how), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_bias_act_equals_the_reference_in_all_orders(ops: ModuleType, act: Any, dtype: torch.dtype) -> None:
    norm = {torch.bfloat16: 1e-2, torch.float64: 1e-6}.get(dtype) or NORMS[dtype]
    for index, (layout, clamp) in enumerate(zip(LAYOUTS, (None, 0.8, 0.9, None), strict=True)):
        x, v = laid_out(numbers(index, 2, 3, 9, 11).to(dtype), layout), numbers(5, 2, 3, 9, 11).to(dtype)
        b = None if index == 3 else numbers(6, x.shape[index]).to(dtype)
        total = (x if b is None else x + b.reshape([-1 if axis == index else 1 for axis in range(4)])).float()
        total.requires_grad_()
        y = reference.bias_act(total, None, 0, act, SLOPE, 1.3, clamp)
        (first,) = torch.autograd.grad(y, total, v.float(), create_graph=True)
        second = torch.zeros_like(total)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first, total, torch.ones_like(first))
        for order, expected in enumerate((y, first, second)):
            found = ops.bias_act(v if order else None, x, b, index, act, SLOPE, 1.3, clamp, order)
            assert found.dtype == dtype
            if b is None or dtype == torch.float32 or clamp is None:  # else a rounded sum may cross a clamp
                agree(found, expected.detach(), norm)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_bias_act_takes_the_derivatives_of_the_reference_at_kinks(ops: ModuleType, act: Any) -> None:
    start, v = torch.zeros(4, 4, requires_grad=True), torch.ones(4, 4)
    (first,) = torch.autograd.grad(
        reference.bias_act(start, None, 1, act, SLOPE, 1.0, None), start, v, create_graph=True
    )
    second = torch.autograd.grad(first, start, v)[0] if first.requires_grad else torch.zeros(4, 4)
    for order, expected in ((1, first.detach()), (2, second)):
        agree(ops.bias_act(v, start.detach(), None, 1, act, SLOPE, 1.0, None, order), expected, 1e-5)


def test_bias_act_takes_two_dimensions(ops: ModuleType) -> None:
    x, b = numbers(0, 5, 7), numbers(1, 7)
    expected = reference.bias_act(x, b, 1, "swish", 0, 1.0, None)
    agree(ops.bias_act(None, x, b, 1, "swish", 0, 1.0, None, 0), expected, 1e-5)


def filtering(fu: Tensor, fd: Tensor, rise: Resampling, fall: Resampling, clamp: float | None = None) -> FilteredLrelu:
    return FilteredLrelu(fu=fu, fd=fd, upsampling=rise, downsampling=fall, gain=GAIN, slope=SLOPE, clamp=clamp)


def filtered_case(up: int, down: int, full: bool, size: tuple[int, int], clamp: float | None) -> FilteredLrelu:
    fu = low_pass(6 * up) if up > 1 else torch.ones(1)
    fd = radial(6 * down) if full else low_pass(6 * down)
    grow = 5 * down
    rise = parse_resampling(
        up, 1, (grow, grow - 1, grow + 2, -3 if size[0] * up > 12 else 3), gain=up**2, flip_filter=full
    )
    return filtering(fu, fd, rise, parse_resampling(1, down, 0, flip_filter=full), clamp)


@pytest.mark.parametrize("full", [False, True], ids=["separable", "radial"])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 2), (4, 2), (1, 2), (2, 1), (2, 4), (4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_filtered_lrelu_and_its_linearisation_equal_the_reference(
    ops: ModuleType, dtype: torch.dtype, up: int, down: int, full: bool
) -> None:
    rng = random.Random(up * 10 + down)
    for index, clamp in enumerate((None, 0.7)):
        size = (rng.randint(6, 14), rng.randint(6, 24))
        how = filtered_case(up, down, full, size, clamp)
        x = laid_out(numbers(index, 1, 3, *size).to(dtype), LAYOUTS[index + 2 * full])
        b = None if index else numbers(7, 3).to(dtype)
        assert ops.filtered_lrelu_unsupported_reason(x, how) is None
        start = reference.bias_act(x, b, 1, "linear", 0, 1.0, None).float().requires_grad_()
        y = reference.filtered_lrelu(start, None, how)
        agree(ops.filtered_lrelu(x, b, how), y.detach(), NORMS[dtype])
        v, w = numbers(8, *y.shape).to(dtype), numbers(9, *x.shape).to(dtype)
        along = torch.zeros_like(y, requires_grad=True)
        (back,) = torch.autograd.grad(y, start, along, create_graph=True)
        (ahead,) = torch.autograd.grad(back, along, w.float(), retain_graph=True)
        (gradient,) = torch.autograd.grad(y, start, v.float())
        norm = NORMS[dtype] if dtype == torch.float32 else KINK_NORM
        found = ops.filtered_lrelu_linear(v, x, b, how, True), ops.filtered_lrelu_linear(w, x, b, how, False)
        agree(found[0], gradient, norm)
        agree(found[1], ahead, norm)
        # each is the other's transpose whatever the mask, so kinks do not count here
        products = float((found[0].float() * w.float()).sum()), float((found[1].float() * v.float()).sum())
        scale = float(found[1].float().norm() * v.float().norm())
        assert abs(products[0] - products[1]) <= 2 * NORMS[dtype] * scale


def test_filtered_lrelu_of_a_single_sample_equals_the_reference(ops: ModuleType) -> None:
    how = filtering(low_pass(12), low_pass(12), parse_resampling(2, 1, 11, gain=4), parse_resampling(1, 2, 0))
    x, b = numbers(0, 2, 2, 1, 1), numbers(1, 2)
    agree(ops.filtered_lrelu(x, b, how), reference.filtered_lrelu(x, b, how), 1e-5)


def test_what_does_not_fit_is_left_to_the_reference(ops: ModuleType) -> None:
    x, f = numbers(0, 1, 1, 9, 9), numbers(1, 70)
    long, odd = parse_resampling(1, 1, 40), parse_resampling(3, 1, 4)
    assert "70" in ops.unsupported_reason(x, (f, long))
    assert (
        ops.unsupported_reason(x, (f[:4], odd)) == "factors are up (3, 3), down (1, 1); the kernels support 1, 2 and 4"
    )
    assert (
        ops.unsupported_reason(x.double(), (f[:4], long))
        == "x is torch.float64; the kernels support float32 and float16"
    )
    agree(ops.upfirdn2d(x, f, long), reference.upfirdn2d(x, f, long), 1e-5)
    fu = numbers(2, 40) / 6
    how = filtering(fu, fu, parse_resampling(1, 1, 39), parse_resampling(1, 1, 0), clamp=1.0)
    assert "one after the other" in ops.filtered_lrelu_unsupported_reason(x, how)
    start = x.clone().requires_grad_()
    y = reference.filtered_lrelu(start, None, how)
    agree(ops.filtered_lrelu(x, None, how), y.detach(), 1e-5)
    v = numbers(3, *y.shape)
    found = ops.filtered_lrelu_linear(v, x, None, how, True)
    agree(found, torch.autograd.grad(y, start, v)[0], 1e-5)


def test_a_filter_that_was_written_to_is_read_again(ops: ModuleType) -> None:
    x, f, how = numbers(0, 1, 1, 8, 8), radial(6), parse_resampling(1, 1, 0)
    before = ops.upfirdn2d(x, f, how)
    f.mul_(2)
    agree(ops.upfirdn2d(x, f, how), 2 * before, 1e-5)
