"""The native ops equal plain PyTorch exactly; gradients of both; invalid arguments.

Images and filters consist of small integers, so that sums are exact in float32 in any order, and no sign or clamp
depends on rounding.
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

NUM_CASES = 60
SHAPES = ((1, 3, 9, 14), (2, 16, 12, 7), (3, 5, 1, 20), (1, 37, 40, 33), (2, 1, 17, 9), (1, 20, 3, 190))
LAYOUTS = ("contiguous", "channels_last", "transposed", "strided")


def random_integers(*shape: int, maximum: int = 3) -> Tensor:
    """Random integers from -maximum to maximum, as float32."""
    return torch.randint(-maximum, maximum + 1, shape).float()


def random_image(shape: tuple[int, int, int, int], layout: str) -> Tensor:
    """An image of random integers with a memory layout of `LAYOUTS`."""
    n, channels, height, width = shape
    if layout == "channels_last":
        return random_integers(*shape).contiguous(memory_format=torch.channels_last)
    if layout == "transposed":
        return random_integers(n, channels, width, height).transpose(2, 3)
    if layout == "strided":
        return random_integers(n, 2 * channels, height, width + 1)[:, ::2, :, 1:]
    return random_integers(*shape)


def choose(*choices: Any) -> Any:
    """A random choice with torch's random state."""
    return choices[int(torch.randint(len(choices), ()))]


def random_filter(factor: int) -> Tensor | None:
    """A random filter: none, separable with a common or an uncommon length, mirrored, or full."""
    filter_type, taps = choose("none", "common", "common", "uncommon", "mirrored", "full"), 6 * factor
    if filter_type == "mirrored":
        half = random_integers(taps // 2, taps, maximum=1)
        return torch.cat([half, half.flip(0)])
    if filter_type == "full":
        return random_integers(choose(1, 3, taps), choose(2, taps), maximum=1)
    return {
        "none": None,
        "common": random_integers(choose(taps, 2 * factor)),
        "uncommon": random_integers(choose(1, 3, 5, 7)),
    }[filter_type]


def random_resamplings() -> Iterator[tuple[Tensor, Tensor, Resampling]]:
    """Random images, filters and resamplings with a non-empty result."""
    for case in itertools.count():
        shape, layout = SHAPES[case % len(SHAPES)], LAYOUTS[case % len(LAYOUTS)]
        up, down = choose((1, 1), (2, 2), (4, 4), (2, 1)), choose((1, 1), (2, 2), (4, 4), (1, 3))
        x = random_image(shape, layout)
        f = validate_filter(random_filter(max(*up, *down)), x)
        padding = torch.randint(-4, 13, (4,)).tolist()
        resampling = parse_resampling(up, down, padding, flip_filter=choose(True, False), gain=4.0)
        try:
            resampling.out_size((shape[2], shape[3]), filter_size(f))
        except ConfigError:
            continue
        yield x, f, resampling


def assert_identical(result: Tensor, expected: Tensor) -> None:
    assert result.is_contiguous() == expected.is_contiguous()
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


def test_native_upfirdn2d_and_its_gradients_equal_plain_pytorch() -> None:
    for x, f, resampling in itertools.islice(random_resamplings(), NUM_CASES):
        x.requires_grad_()
        expected = reference.upfirdn2d(x, f, resampling)
        native = torch_ops.upfirdn2d(x, f, *torch_ops.unpack_resampling(resampling))
        assert_identical(native, expected)
        dy = random_integers(*expected.shape).requires_grad_()
        (expected_dx,) = torch.autograd.grad(expected, x, dy, create_graph=True)
        (native_dx,) = torch.autograd.grad(native, x, dy, create_graph=True)
        torch.testing.assert_close(native_dx, expected_dx, rtol=0, atol=0)
        ddx = random_integers(*x.shape)
        torch.testing.assert_close(
            torch.autograd.grad(native_dx, dy, ddx)[0], torch.autograd.grad(expected_dx, dy, ddx)[0], rtol=0, atol=0
        )


def random_filtered_lrelu_arguments() -> Iterator[tuple[Tensor, tuple[Any, ...]]]:
    """Random images and arguments of `filtered_lrelu` with a non-empty result."""
    for case in itertools.count():
        shape, layout = SHAPES[case % len(SHAPES)], LAYOUTS[case % len(LAYOUTS)]
        up, down = choose(1, 2, 4), choose(1, 2, 4)
        x = random_image(shape, layout)
        fu, fd = validate_filter(random_filter(up), x), validate_filter(random_filter(down), x)
        padding = torch.randint(-4, 19, (4,)).tolist()
        upsampling, downsampling = parse_resampling(up, 1, padding, gain=up**2), parse_resampling(1, down, 0)
        try:
            downsampling.out_size(upsampling.out_size((shape[2], shape[3]), filter_size(fu)), filter_size(fd))
        except ConfigError:
            continue
        b = choose(None, random_integers(shape[1]))
        yield x, (fu, fd, b, up, down, padding, choose(2.0, 1.0), choose(0.25, 0.0, 1.0), choose(None, 32.0))


def run_with(monkeypatch: pytest.MonkeyPatch, implementation: str, call: Callable[[], Tensor]) -> Tensor:
    """The result of a call with an implementation of the ops."""
    monkeypatch.setenv("CROWDGAN_OPS", implementation)
    return call()


def test_native_upfirdn2d_with_the_filter_of_stylegan2_equals_plain_pytorch() -> None:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    x = random_image((2, 70, 9, 260), "channels_last")
    for factors, f in itertools.product(((1, 1), (2, 1), (1, 2), (3, 2)), (torch.outer(taps, taps), taps)):
        resampling = parse_resampling(*factors, 2, gain=4.0)
        native = torch_ops.upfirdn2d(x, f, *torch_ops.unpack_resampling(resampling))
        assert_identical(native, reference.upfirdn2d(x, f, resampling))


def test_native_filtered_lrelu_and_its_gradients_equal_plain_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    for x, arguments in itertools.islice(random_filtered_lrelu_arguments(), NUM_CASES):
        inputs = [item.requires_grad_() for item in (x, arguments[2]) if item is not None]
        expected, native = (
            run_with(monkeypatch, implementation, lambda x=x, arguments=arguments: filtered_lrelu(x, *arguments))  # type: ignore[misc]
            for implementation in ("reference", "native")
        )
        assert_identical(native, expected)
        dy = random_integers(*expected.shape)
        for gradient, expected_gradient in zip(
            torch.autograd.grad(native, inputs, dy), torch.autograd.grad(expected, inputs, dy), strict=True
        ):
            torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=0)


def test_the_gradient_of_native_filtered_lrelu_is_linear_and_transposes_correctly() -> None:
    for x, (fu, fd, b, up, down, padding, *rest) in itertools.islice(random_filtered_lrelu_arguments(), 20):
        op_arguments = (x, fu, fd, b, up, down, padding, False, *rest)
        y = torch_ops.filtered_lrelu(*op_arguments)
        dy = random_integers(*y.shape).requires_grad_()
        dx = torch_ops.filtered_lrelu_linear(dy, *op_arguments, True)
        ddx = random_integers(*x.shape)
        (transposed_ddx,) = torch.autograd.grad(dx, dy, ddx)
        assert torch.equal((transposed_ddx.double() * dy.double()).sum(), (dx.double() * ddx.double()).sum())
        torch.testing.assert_close(
            transposed_ddx, torch_ops.filtered_lrelu_linear(ddx, *op_arguments, False), rtol=0, atol=0
        )


@pytest.mark.parametrize("act", ["linear", "relu", "lrelu"])
@pytest.mark.parametrize("shape", [(3, 5), (2, 7, 4), (2, 16, 5, 6)])
@pytest.mark.parametrize("clamp", [None, 2.0])
def test_native_bias_act_and_its_gradients_equal_plain_pytorch(
    monkeypatch: pytest.MonkeyPatch, act: Any, shape: tuple[int, ...], clamp: float | None
) -> None:
    memory_formats = [torch.contiguous_format] + [torch.channels_last] * (len(shape) == 4)
    for memory_format, has_bias, dim in itertools.product(memory_formats, (True, False), range(len(shape))):
        x = random_integers(*shape).contiguous(memory_format=memory_format).requires_grad_()
        b = random_integers(shape[dim]).requires_grad_() if has_bias else None
        inputs = [item for item in (x, b) if item is not None]
        call = lambda x=x, b=b, dim=dim: bias_act(x, b, dim, act, alpha=0.25, gain=2.0, clamp=clamp)  # noqa: E731
        expected, native = (run_with(monkeypatch, implementation, call) for implementation in ("reference", "native"))
        assert_identical(native, expected)
        dy = random_integers(*shape).requires_grad_()
        expected_grads = torch.autograd.grad(expected, inputs, dy, create_graph=True)
        native_grads = torch.autograd.grad(native, inputs, dy, create_graph=True)
        for gradient, expected_gradient in zip(native_grads, expected_grads, strict=True):
            torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=0)
        ddx = random_integers(*shape)
        second = [torch.autograd.grad(grads[0], dy, ddx)[0] for grads in (native_grads, expected_grads)]
        torch.testing.assert_close(*second, rtol=0, atol=0)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_second_gradients_of_every_activation_pass_gradgradcheck(ops_implementation: str, act: Any) -> None:
    x, b = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True), torch.randn(3, dtype=torch.float64)
    call = lambda x, b: bias_act(x, b, act=act, clamp=2.0)  # noqa: E731
    assert torch.autograd.gradgradcheck(call, (x, b.requires_grad_()))


def test_ops_in_plain_pytorch_pass_gradcheck() -> None:
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
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(torch_ops.filtered_lrelu(x, fu, fd, b, 2, 2, [9, 8, 9, 8], False, 1.4, 0.2, None))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_convolutions_do_not_depend_on_the_number_of_threads_or_on_other_images() -> None:
    x, weight, dy = torch.randn(9, 32, 30, 17), torch.randn(24, 32, 3, 3), torch.randn(9, 24, 30, 17)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(torch_ops.conv3x3(x, weight, 1))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*results)
    assert torch.equal(results[0][4:6], torch_ops.conv3x3(x[4:6], weight, 1))
    gradients = [torch_ops.conv3x3_weight_gradient(x, dy, 1) for _ in range(2)]
    assert torch.equal(*gradients)


def test_a_result_does_not_depend_on_other_images_of_the_batch() -> None:
    x, fu, fd = torch.randn(5, 7, 20, 20), torch.randn(12), torch.randn(12)
    arguments = (fu, fd, torch.randn(7), 2, 2, [9, 8, 9, 8], False, 1.4, 0.2, None)
    batch = torch_ops.filtered_lrelu(x, *arguments)
    assert all(torch.equal(batch[i : i + 1], torch_ops.filtered_lrelu(x[i : i + 1], *arguments)) for i in range(5))


@pytest.mark.parametrize(
    "name",
    [
        "upfirdn2d",
        "bias_act",
        "filtered_lrelu",
        "bias_act_linear",
        "filtered_lrelu_linear",
        "conv3x3",
        "conv3x3_weight_gradient",
    ],
)
def test_operators_pass_the_checks_of_torch_library(name: str) -> None:
    x, b, f = torch.randn(2, 17, 9, 8, requires_grad=True), torch.randn(17, requires_grad=True), torch.randn(12)
    y = torch.randn(2, 17, 9, 8, requires_grad=True)
    filtered_lrelu_arguments = (x, f, f, b, 2, 2, [9, 10, 10, 11], False, 1.4, 0.2, 2.0)
    arguments: dict[str, tuple[Any, ...]] = {
        "upfirdn2d": (x, f, [2, 2], [1, 1], [5, 6, 5, 6], False, 4.0),
        "bias_act": (x, b, 1, 1.4, 0.28, None),
        "bias_act_linear": (y, x.detach(), b.detach(), 1, 1.4, 0.28, None),
        "filtered_lrelu": filtered_lrelu_arguments,
        "conv3x3": (x, torch.randn(18, 17, 3, 3, requires_grad=True), 1),
        "conv3x3_weight_gradient": (x, torch.randn(2, 18, 9, 8, requires_grad=True), 1),
        "filtered_lrelu_linear": (y, x.detach(), f, f, b.detach(), *filtered_lrelu_arguments[4:], False),
    }
    torch.library.opcheck(getattr(torch_ops, name).registered, arguments[name])


def test_ops_compile_without_graph_breaks(ops_implementation: str) -> None:
    f, b = torch.randn(12), torch.randn(17)

    def layer(x: Tensor) -> Tensor:
        return upfirdn2d(bias_act(filtered_lrelu(x, f, f, b, 2, 2, 10), b, act="lrelu"), f, down=2, padding=5)

    x = torch.randn(2, 17, 9, 8)
    layer(x)  # builds the native ops before tracing
    torch.compiler.reset()  # tracing fixes the implementation of the ops
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
def test_invalid_arguments_are_errors(call: Callable[[Tensor], Tensor], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call(torch.randn(1, 2, 4, 5))
    assert problem in str(caught.value)


def test_unsupported_dtypes_and_filters_run_in_plain_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", "native")
    x = torch.randn(1, 2, 4, 5)
    assert upfirdn2d(x.double(), torch.randn(4), padding=3).dtype == torch.float64
    long = torch.randn(70)
    torch.testing.assert_close(
        upfirdn2d(x, long, padding=40), reference.upfirdn2d(x, long, parse_resampling(1, 1, 40)), rtol=0, atol=0
    )


CONVOLUTIONS = [
    (2, 64, 70, 21, 18, 3, 1),  # Winograd
    (1, 80, 64, 20, 33, 3, 2),
    (3, 65, 64, 23, 25, 3, 0),
    (7, 16, 43, 40, 8, 3, 1),  # several blocks of tiles
    (1, 16, 16, 5, 7, 3, 1),
    (2, 5, 7, 9, 8, 3, 1),  # few channels
    (2, 64, 64, 4, 4, 3, 1),  # one tile
    (2, 12, 9, 15, 14, 1, 0),
]
"""Images, channels in and out, height, width, kernel, padding."""


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_conv2d_and_its_gradients_equal_a_float64_convolution_of_scaled_images(
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
    exact_second = second_gradients(exact_grads, inputs)
    float32_inputs = [item.detach().float().requires_grad_() for item in inputs]
    y = conv2d(float32_inputs[0], float32_inputs[1], padding, *float32_inputs[2:])
    grads = torch.autograd.grad(y, float32_inputs, dy, create_graph=True)
    second = second_gradients(grads, float32_inputs)
    with torch.no_grad():
        assert_close_to_exact(conv2d(float32_inputs[0], float32_inputs[1], padding, *float32_inputs[2:]), exact)
    for result, exact_result in zip((y, *grads, *second), (exact, *exact_grads, *exact_second), strict=True):
        assert_close_to_exact(result, exact_result)


def second_gradients(gradients: tuple[Tensor, ...], inputs: list[Tensor]) -> list[Tensor]:
    """Gradients of the squared gradients of the image and of the weight."""
    of_image = torch.autograd.grad(gradients[0].square().sum(), inputs[1:], retain_graph=True)
    return [*of_image, *torch.autograd.grad(gradients[1].square().sum(), [inputs[0], *inputs[2:]])]


def assert_close_to_exact(result: Tensor, exact: Tensor) -> None:
    """Tolerance 2e-5 of the largest value: ten times the standard deviation of Winograd's float32 error."""
    torch.testing.assert_close(result.double(), exact, rtol=0, atol=2e-5 * float(exact.detach().abs().max()))


def test_a_weight_changed_in_place_is_not_read_from_the_cache() -> None:
    x, weight = torch.randn(1, 64, 20, 20), torch.randn(64, 64, 3, 3)
    with torch.no_grad():
        before = conv2d(x, weight, 1)
        weight *= 2
        torch.testing.assert_close(conv2d(x, weight, 1), 2 * before, rtol=0, atol=1e-4)


def test_padding_after_an_unfiltered_image_is_zero(ops_implementation: str) -> None:
    x = torch.arange(1.0, 5.0).reshape(2, 1, 2, 1).contiguous(memory_format=torch.channels_last)
    y = filtered_lrelu(x, padding=(0, 1, 0, 2), gain=1.0)
    assert y[0, 0].tolist() == [[1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert upfirdn2d(x, None, padding=(0, 0, 0, 1))[1, 0].tolist() == [[3.0], [4.0], [0.0]]


@pytest.mark.parametrize("shape", [(0, 4), (2, 3, 0), (2, 0, 5)])
def test_bias_act_of_an_empty_tensor_is_empty(ops_implementation: str, shape: tuple[int, ...]) -> None:
    assert bias_act(torch.empty(shape), torch.zeros(shape[1]), act="lrelu").shape == shape


def test_results_do_not_depend_on_the_default_dtype(ops_implementation: str) -> None:
    x, f, weight = torch.randn(1, 64, 20, 20), torch.randn(4), torch.randn(64, 64, 3, 3)
    calls = [lambda: upfirdn2d(x, f, padding=2), lambda: filtered_lrelu(x, None, f), lambda: bias_act(x, act="lrelu")]
    with torch.no_grad():
        calls += [lambda: upfirdn2d(x, None), lambda: conv2d(x, weight, 1)]
        expected = [call() for call in calls]
        torch.set_default_dtype(torch.float64)
        try:
            results = [call() for call in calls]
        finally:
            torch.set_default_dtype(torch.float32)
    for result, expected_result in zip(results, expected, strict=True):
        torch.testing.assert_close(result, expected_result)


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
def test_arguments_of_conv2d_that_do_not_match_are_errors(
    ops_implementation: str, arguments: tuple[Any, ...], problem: str
) -> None:
    with torch.no_grad(), pytest.raises(ConfigError) as caught:
        conv2d(torch.ones(1, 64, 20, 20), *arguments)
    assert problem in str(caught.value)


def test_a_weight_with_replaced_data_is_not_read_from_the_cache() -> None:
    x, weight = torch.randn(1, 64, 20, 20), torch.nn.Parameter(torch.randn(64, 64, 3, 3))
    with torch.no_grad():
        before = conv2d(x, weight, 1)
        weight.data = weight.data * 2
        torch.testing.assert_close(conv2d(x, weight, 1), 2 * before, rtol=0, atol=1e-4)
