"""The native ops against the plain ones, exactly; gradients of both; arguments that are refused.

Images and filters hold small whole numbers, so that sums are exact in float32 whatever their order, and no sign or
clamp hangs on rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.ops import bias_act, conv2d, filtered_lrelu, reference, torch_ops, upfirdn2d
from crowdgan_stylegan3.ops.arguments import ACTIVATIONS, Resampling, filter_size, parse_resampling, validate_filter

CASES = 60
SHAPES = ((1, 3, 9, 14), (2, 16, 12, 7), (3, 5, 1, 20), (1, 37, 40, 33), (2, 1, 17, 9), (1, 20, 3, 190))
MEMORY = ("contiguous", "channels_last", "transposed", "strided")


def whole(*shape: int, most: int = 3) -> Tensor:
    return torch.randint(-most, most + 1, shape).float()


def image(shape: tuple[int, int, int, int], memory: str) -> Tensor:
    n, channels, height, width = shape
    if memory == "channels_last":
        return whole(*shape).contiguous(memory_format=torch.channels_last)
    if memory == "transposed":
        return whole(n, channels, width, height).transpose(2, 3)
    if memory == "strided":
        return whole(n, 2 * channels, height, width + 1)[:, ::2, :, 1:]
    return whole(*shape)


def pick(*choices: Any) -> Any:
    return choices[int(torch.randint(len(choices), ()))]


def some_filter(factor: int) -> Tensor | None:
    """None, separable ones of usual and unusual lengths, mirrored and lopsided full ones."""
    kind, taps = pick("none", "usual", "usual", "odd", "mirrored", "full"), 6 * factor
    if kind == "mirrored":
        half = whole(taps // 2, taps, most=1)
        return torch.cat([half, half.flip(0)])
    if kind == "full":
        return whole(pick(1, 3, taps), pick(2, taps), most=1)
    return {"none": None, "usual": whole(pick(taps, 2 * factor)), "odd": whole(pick(1, 3, 5, 7))}[kind]


def resamplings() -> Iterator[tuple[Tensor, Tensor, Resampling]]:
    """Random images, filters and resamplings that leave something."""
    for case in itertools.count():
        shape, memory = SHAPES[case % len(SHAPES)], MEMORY[case % len(MEMORY)]
        up, down = pick((1, 1), (2, 2), (4, 4), (2, 1)), pick((1, 1), (2, 2), (4, 4), (1, 3))
        x = image(shape, memory)
        f = validate_filter(some_filter(max(*up, *down)), x)
        padding = torch.randint(-4, 13, (4,)).tolist()
        how = parse_resampling(up, down, padding, flip_filter=pick(True, False), gain=4.0)
        try:
            how.out_size((shape[2], shape[3]), filter_size(f))
        except ConfigError:
            continue
        yield x, f, how


def same(found: Tensor, expected: Tensor) -> None:
    assert found.is_contiguous() == expected.is_contiguous()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_native_upfirdn2d_and_its_gradients_equal_the_plain_ones() -> None:
    for x, f, how in itertools.islice(resamplings(), CASES):
        x.requires_grad_()
        plain, fast = reference.upfirdn2d(x, f, how), torch_ops.upfirdn2d(x, f, *torch_ops.unpack_resampling(how))
        same(fast, plain)
        dy = whole(*plain.shape).requires_grad_()
        (plain_dx,) = torch.autograd.grad(plain, x, dy, create_graph=True)
        (fast_dx,) = torch.autograd.grad(fast, x, dy, create_graph=True)
        torch.testing.assert_close(fast_dx, plain_dx, rtol=0, atol=0)
        ddx = whole(*x.shape)
        torch.testing.assert_close(
            torch.autograd.grad(fast_dx, dy, ddx)[0], torch.autograd.grad(plain_dx, dy, ddx)[0], rtol=0, atol=0
        )


def stages() -> Iterator[tuple[Tensor, tuple[Any, ...]]]:
    """Random arguments of `filtered_lrelu` that leave something."""
    for case in itertools.count():
        shape, memory = SHAPES[case % len(SHAPES)], MEMORY[case % len(MEMORY)]
        up, down = pick(1, 2, 4), pick(1, 2, 4)
        x = image(shape, memory)
        fu, fd = validate_filter(some_filter(up), x), validate_filter(some_filter(down), x)
        padding = torch.randint(-4, 19, (4,)).tolist()
        rise, fall = parse_resampling(up, 1, padding, gain=up**2), parse_resampling(1, down, 0)
        try:
            fall.out_size(rise.out_size((shape[2], shape[3]), filter_size(fu)), filter_size(fd))
        except ConfigError:
            continue
        b = pick(None, whole(shape[1]))
        yield x, (fu, fd, b, up, down, padding, pick(2.0, 1.0), pick(0.25, 0.0, 1.0), pick(None, 32.0))


def with_path(monkeypatch: pytest.MonkeyPatch, path: str, call: Callable[[], Tensor]) -> Tensor:
    monkeypatch.setenv("CROWDGAN_OPS", path)
    return call()


def test_native_filtered_lrelu_and_its_gradients_equal_the_plain_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for x, arguments in itertools.islice(stages(), CASES):
        inputs = [item.requires_grad_() for item in (x, arguments[2]) if item is not None]
        plain, fast = (
            with_path(monkeypatch, path, lambda x=x, arguments=arguments: filtered_lrelu(x, *arguments))  # type: ignore[misc]
            for path in ("reference", "native")
        )
        same(fast, plain)
        dy = whole(*plain.shape)
        for found, expected in zip(
            torch.autograd.grad(fast, inputs, dy), torch.autograd.grad(plain, inputs, dy), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_gradient_of_native_filtered_lrelu_is_linear_and_its_own_transpose() -> None:
    for x, (fu, fd, b, up, down, padding, *rest) in itertools.islice(stages(), 20):
        given = (x, fu, fd, b, up, down, padding, False, *rest)
        y = torch_ops.filtered_lrelu(*given)
        dy = whole(*y.shape).requires_grad_()
        dx = torch_ops.filtered_lrelu_linear(dy, *given, True)
        ddx = whole(*x.shape)
        (back,) = torch.autograd.grad(dx, dy, ddx)
        assert torch.equal((back.double() * dy.double()).sum(), (dx.double() * ddx.double()).sum())
        torch.testing.assert_close(back, torch_ops.filtered_lrelu_linear(ddx, *given, False), rtol=0, atol=0)


@pytest.mark.parametrize("act", ["linear", "relu", "lrelu"])
@pytest.mark.parametrize("shape", [(3, 5), (2, 7, 4), (2, 16, 5, 6)])
@pytest.mark.parametrize("clamp", [None, 2.0])
def test_native_bias_act_and_its_gradients_equal_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch, act: Any, shape: tuple[int, ...], clamp: float | None
) -> None:
    orders = [torch.contiguous_format] + [torch.channels_last] * (len(shape) == 4)
    for order, bias, dim in itertools.product(orders, (True, False), range(len(shape))):
        x = whole(*shape).contiguous(memory_format=order).requires_grad_()
        b = whole(shape[dim]).requires_grad_() if bias else None
        inputs = [item for item in (x, b) if item is not None]
        call = lambda x=x, b=b, dim=dim: bias_act(x, b, dim, act, alpha=0.25, gain=2.0, clamp=clamp)  # noqa: E731
        plain, fast = (with_path(monkeypatch, path, call) for path in ("reference", "native"))
        same(fast, plain)
        dy = whole(*shape).requires_grad_()
        plain_grads = torch.autograd.grad(plain, inputs, dy, create_graph=True)
        fast_grads = torch.autograd.grad(fast, inputs, dy, create_graph=True)
        for found, expected in zip(fast_grads, plain_grads, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
        ddx = whole(*shape)
        second = [torch.autograd.grad(grads[0], dy, ddx)[0] for grads in (fast_grads, plain_grads)]
        torch.testing.assert_close(*second, rtol=0, atol=0)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_second_gradients_of_every_activation_are_right(ops_implementation: str, act: Any) -> None:
    x, b = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True), torch.randn(3, dtype=torch.float64)
    call = lambda x, b: bias_act(x, b, act=act, clamp=2.0)  # noqa: E731
    assert torch.autograd.gradgradcheck(call, (x, b.requires_grad_()))


def test_the_plain_ops_pass_gradcheck() -> None:
    x = torch.randn(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, dtype=torch.float64, requires_grad=True)
    fu, fd = torch.randn(8), torch.randn(6, 6)
    assert torch.autograd.gradcheck(lambda x: upfirdn2d(x, fu, 4, 2, (5, -1, 3, 2)), x)
    assert torch.autograd.gradgradcheck(lambda x: upfirdn2d(x, fd, 1, 2, 3), x)
    assert torch.autograd.gradcheck(lambda x, b: filtered_lrelu(x, fu, fd, b, 4, 2, 6, clamp=0.9), (x, b))


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    x, b = torch.randn(2, 40, 70, 190).contiguous(memory_format=torch.channels_last), torch.randn(40)
    fu, fd = torch.randn(12), torch.randn(12)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(torch_ops.filtered_lrelu(x, fu, fd, b, 2, 2, [9, 8, 9, 8], False, 1.4, 0.2, None))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_a_image_gives_the_same_whatever_else_is_in_its_batch() -> None:
    x, fu, fd = torch.randn(5, 7, 20, 20), torch.randn(12), torch.randn(12)
    arguments = (fu, fd, torch.randn(7), 2, 2, [9, 8, 9, 8], False, 1.4, 0.2, None)
    batch = torch_ops.filtered_lrelu(x, *arguments)
    assert all(torch.equal(batch[i : i + 1], torch_ops.filtered_lrelu(x[i : i + 1], *arguments)) for i in range(5))


@pytest.mark.parametrize(
    "name", ["upfirdn2d", "bias_act", "filtered_lrelu", "bias_act_linear", "filtered_lrelu_linear"]
)
def test_operators_keep_the_rules_of_torch_library(name: str) -> None:
    x, b, f = torch.randn(2, 17, 9, 8, requires_grad=True), torch.randn(17, requires_grad=True), torch.randn(12)
    y = torch.randn(2, 17, 9, 8, requires_grad=True)
    stages = (x, f, f, b, 2, 2, [9, 10, 10, 11], False, 1.4, 0.2, 2.0)
    arguments: dict[str, tuple[Any, ...]] = {
        "upfirdn2d": (x, f, [2, 2], [1, 1], [5, 6, 5, 6], False, 4.0),
        "bias_act": (x, b, 1, 1.4, 0.28, None),
        "bias_act_linear": (y, x.detach(), b.detach(), 1, 1.4, 0.28, None),
        "filtered_lrelu": stages,
        "conv3x3": (x, torch.randn(18, 17, 3, 3, requires_grad=True), 1),
        "filtered_lrelu_linear": (y, x.detach(), f, f, b.detach(), *stages[4:], False),
    }
    torch.library.opcheck(getattr(torch_ops, name), arguments[name])


def test_ops_compile_without_graph_breaks(ops_implementation: str) -> None:
    f, b = torch.randn(12), torch.randn(17)

    def layer(x: Tensor) -> Tensor:
        return upfirdn2d(bias_act(filtered_lrelu(x, f, f, b, 2, 2, 10), b, act="lrelu"), f, down=2, padding=5)

    x = torch.randn(2, 17, 9, 8)
    layer(x)  # builds, so that there is nothing to build while tracing
    torch.compiler.reset()  # the form of the ops is fixed when they are traced
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda x: upfirdn2d(x[0], None), "it must be floats [N, C, H, W]"),
        (lambda x: upfirdn2d(x.int(), None), "x is torch.int32"),
        (lambda x: upfirdn2d(x, torch.ones(2, 2, 2)), "it must be constant float32, [taps] or [h, w]"),
        (lambda x: upfirdn2d(x, None, up=0), "up is 0; it must be a whole number from 1 to 64"),
        (lambda x: upfirdn2d(x, None, down=(1, 2, 3)), "down is (1, 2, 3)"),
        (lambda x: upfirdn2d(x, None, padding=(1, 2, 3)), "padding is (1, 2, 3)"),
        (lambda x: upfirdn2d(x, torch.ones(12)), "leaves nothing"),
        (lambda x: upfirdn2d(x, None, gain=-1), "gain is -1; it must be at least 0"),
        (lambda x: bias_act(x, act="gelu"), "act is gelu; it must be one of linear, relu"),
        (lambda x: bias_act(x, torch.ones(3)), "b is torch.float32 [3] on cpu; it must be torch.float32 [2] on cpu"),
        (lambda x: bias_act(x, torch.ones(2), dim=4), "dim is 4; it must lie between 0 and 3"),
        (lambda x: bias_act(x, clamp=-1), "clamp is -1; it must be at least 0"),
        (lambda x: filtered_lrelu(x, b=torch.ones(2).double()), "b is torch.float64 [2]"),
    ],
)
def test_wrong_arguments_are_refused_by_what_is_wrong(call: Callable[[Tensor], Tensor], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call(torch.randn(1, 2, 4, 5))
    assert problem in str(caught.value)


def test_what_is_not_built_runs_in_plain_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", "native")
    x = torch.randn(1, 2, 4, 5)
    assert upfirdn2d(x.double(), torch.randn(4), padding=3).dtype == torch.float64
    long = torch.randn(70)
    torch.testing.assert_close(
        upfirdn2d(x, long, padding=40), reference.upfirdn2d(x, long, parse_resampling(1, 1, 40)), rtol=0, atol=0
    )


CONVOLUTIONS = [
    (2, 64, 70, 21, 18, 3, 1),  # a quarter of the products
    (1, 80, 64, 20, 33, 3, 2),
    (3, 65, 64, 23, 25, 3, 0),
    (2, 5, 7, 9, 8, 3, 1),  # few channels
    (2, 64, 64, 4, 4, 3, 1),  # few pixels
    (2, 12, 9, 15, 14, 1, 0),
]
"""Images, channels in and out, height, width, kernel, padding."""


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_conv2d_and_its_gradients_equal_those_of_scaled_images(
    ops_implementation: str, case: tuple[int, ...], scaled: bool
) -> None:
    n, channels_in, channels_out, height, width, kernel, padding = case
    x, weight = torch.randn(n, channels_in, height, width), torch.randn(channels_out, channels_in, kernel, kernel)
    scales = [torch.rand(n, channels_in), torch.rand(n, channels_out)] if scaled else []
    inputs = [item.double().requires_grad_() for item in (x, weight, *scales)]
    ones = [torch.ones(n, channels).double() for channels in (channels_in, channels_out)]
    factor_in, factor_out = (item[:, :, None, None] for item in (inputs[2:] or ones))
    exact = torch.nn.functional.conv2d(inputs[0] * factor_in, inputs[1], padding=padding) * factor_out
    dy = torch.randn(exact.shape)
    exact_grads = torch.autograd.grad(exact, inputs, dy.double(), create_graph=True)
    exact_second = torch.autograd.grad(exact_grads[0].square().sum(), inputs[1:])
    mine = [item.detach().float().requires_grad_() for item in inputs]
    y = conv2d(mine[0], mine[1], padding, *mine[2:])
    grads = torch.autograd.grad(y, mine, dy, create_graph=True)
    second = torch.autograd.grad(grads[0].square().sum(), mine[1:])
    with torch.no_grad():
        close_to(conv2d(mine[0], mine[1], padding, *mine[2:]), exact)
    for found, expected in zip((y, *grads, *second), (exact, *exact_grads, *exact_second), strict=True):
        close_to(found, expected)


def close_to(found: Tensor, exact: Tensor) -> None:
    """Float32 to 2e-5 of the largest value: 2e-6 in standard deviation, and ten of those at most."""
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-5 * float(exact.detach().abs().max()))


def test_a_changed_weight_is_transformed_again() -> None:
    x, weight = torch.randn(1, 64, 20, 20), torch.randn(64, 64, 3, 3)
    with torch.no_grad():
        before = conv2d(x, weight, 1)
        weight *= 2
        torch.testing.assert_close(conv2d(x, weight, 1), 2 * before, rtol=0, atol=1e-4)


def test_padding_after_a_image_that_is_not_filtered_is_zero(ops_implementation: str) -> None:
    x = torch.arange(1.0, 5.0).reshape(2, 1, 2, 1).contiguous(memory_format=torch.channels_last)
    y = filtered_lrelu(x, padding=(0, 1, 0, 2), gain=1.0)
    assert y[0, 0].tolist() == [[1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert upfirdn2d(x, None, padding=(0, 0, 0, 1))[1, 0].tolist() == [[3.0], [4.0], [0.0]]


@pytest.mark.parametrize("shape", [(0, 4), (2, 3, 0), (2, 0, 5)])
def test_bias_act_of_nothing_is_nothing(ops_implementation: str, shape: tuple[int, ...]) -> None:
    assert bias_act(torch.empty(shape), torch.zeros(shape[1]), act="lrelu").shape == shape


def test_ops_keep_the_kind_of_the_image_whatever_the_default_is(ops_implementation: str) -> None:
    x, f, weight = torch.randn(1, 64, 20, 20), torch.randn(4), torch.randn(64, 64, 3, 3)
    calls = [lambda: upfirdn2d(x, f, padding=2), lambda: filtered_lrelu(x, None, f), lambda: bias_act(x, act="lrelu")]
    with torch.no_grad():
        calls += [lambda: upfirdn2d(x, None), lambda: conv2d(x, weight, 1)]
        expected = [call() for call in calls]
        torch.set_default_dtype(torch.float64)
        try:
            found = [call() for call in calls]
        finally:
            torch.set_default_dtype(torch.float32)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((torch.ones(64, 32, 3, 3),), "weight has shape [64, 32, 3, 3]; it must be [K, 64, kernel, kernel]"),
        ((torch.ones(64, 64, 3, 3).double(),), "weight is torch.float64 on cpu; it must be torch.float32 on cpu"),
        ((torch.ones(64, 64, 3, 3), 1, torch.ones(1, 1)), "in_scale has shape [1, 1]; it must be [1, 64]"),
        ((torch.ones(8, 64, 3, 3), 1, None, torch.ones(1, 64)), "out_scale has shape [1, 64]; it must be [1, 8]"),
        ((torch.ones(8, 64, 3, 3), 1, torch.ones(1, 64).double()), "in_scale is torch.float64"),
    ],
)
def test_convolutions_that_do_not_fit_are_refused(
    ops_implementation: str, arguments: tuple[Any, ...], problem: str
) -> None:
    with torch.no_grad(), pytest.raises(ConfigError) as caught:
        conv2d(torch.ones(1, 64, 20, 20), *arguments)
    assert problem in str(caught.value)


def test_a_weight_whose_data_is_another_is_transformed_again() -> None:
    x, weight = torch.randn(1, 64, 20, 20), torch.nn.Parameter(torch.randn(64, 64, 3, 3))
    with torch.no_grad():
        before = conv2d(x, weight, 1)
        weight.data = weight.data * 2
        torch.testing.assert_close(conv2d(x, weight, 1), 2 * before, rtol=0, atol=1e-4)
