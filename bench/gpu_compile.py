"""Ahead-of-time compilation of the kernels for a compute capability, without a GPU, and their resource usage."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from gpu_layers import CLAMP, GAIN, SLOPE, FilteredLreluLayer, filtered_layers
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from crowdgan_stylegan3.ops.arguments import filter_size, parse_resampling
from crowdgan_stylegan3.ops.triton.bias_act import plan_bias_act
from crowdgan_stylegan3.ops.triton.filtered_lrelu import plan_filtered_lrelu
from crowdgan_stylegan3.ops.triton.launch import COMPILE_OPTIONS, Launch
from crowdgan_stylegan3.ops.triton.upfirdn2d import plan_upfirdn2d

COMPUTE_CAPABILITY = 90
"""Hopper: H100, H200."""

MAX_SHARED_BYTES = 99 * 1024
"""Maximum shared memory of one program on consumer GPUs; 227 KiB on Hopper."""

POINTER_TYPES = {torch.float32: "*fp32", torch.float16: "*fp16"}
CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
RESOURCE_PATTERN = re.compile(r"REG:(\d+) STACK:(\d+)")

LAYER_INDICES = (10, 11)
"""Layers of the configurations at 256² with factors 4 and 2."""


def compile_all() -> list[dict[str, Any]]:
    """Resource usage of each kernel, in the variants that the layers of configurations T and R use at 256²."""
    results = []
    for dtype in POINTER_TYPES:
        x = torch.empty(2, 64, 64, 64, dtype=dtype)
        bias_act = plan_bias_act(x, x, x, x[0, :, 0, 0], 1, "lrelu", SLOPE, GAIN, CLAMP, 1)
        results.append({"case": f"bias_act {dtype}", **compile_kernel(bias_act)})
        for up, down, size in ((2, 1, 128), (1, 2, 32)):
            out, f = torch.empty(2, 64, size, size, dtype=dtype), torch.ones(4)
            resampling = parse_resampling(up, down, (2, 1) if up > 1 else (1, 1), gain=up**2)
            launch = plan_upfirdn2d(out, x, f, resampling)
            results.append({"case": f"upfirdn2d {dtype} {up}/{down}", **compile_kernel(launch)})
        for config in ("t", "r"):
            for index in LAYER_INDICES:
                layer = filtered_layers(config, 256, torch.device("cpu"))[index]
                factors = f"{layer.params.upsampling.up[0]}/{layer.params.downsampling.down[0]}"
                for name, launch in zip(("forward", "transposed"), plan_layer(layer, dtype), strict=True):
                    case = f"filtered_lrelu {dtype} {config} {factors} {name}"
                    results.append({"case": case, **compile_kernel(launch)})
    return results


def plan_layer(layer: FilteredLreluLayer, dtype: torch.dtype) -> tuple[Launch, Launch]:
    """Launches of the forward and the transposed kernel of a layer."""
    size = (layer.in_size, layer.in_size)
    x = torch.empty(1, layer.channels, *size, dtype=dtype)
    out = torch.empty(1, layer.channels, layer.out_size, layer.out_size, dtype=dtype)
    b, params = torch.empty(layer.channels, dtype=dtype), layer.params
    upsampled_size = params.upsampled_size(size)
    first = (params.fd, params.downsampling.transposed(upsampled_size, filter_size(params.fd)))
    second = (params.fu, params.upsampling.transposed(size, filter_size(params.fu)))
    return (
        plan_filtered_lrelu(out, None, x, b, params, None, (params.fd, params.downsampling)),
        plan_filtered_lrelu(x, out, x, b, params, first, second),
    )


def compile_kernel(launch: Launch) -> dict[str, Any]:
    """Registers and stack bytes (spills) per thread, shared bytes per program, tensor core instructions, tile sizes."""
    target = GPUTarget("cuda", COMPUTE_CAPABILITY, 32)
    kernel = triton.compile(kernel_source(launch), target=target, options=COMPILE_OPTIONS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(kernel.asm["cubin"])
        command = [CUOBJDUMP, "--dump-resource-usage", path]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = RESOURCE_PATTERN.search(output)
    assert match is not None
    return {
        "registers": int(match[1]),
        "stack": int(match[2]),
        "shared": kernel.metadata.shared,
        "tensor_core_instructions": len(re.findall(r"\b(?:wgmma\.mma_async|mma\.sync)", kernel.asm["ptx"])),
        "tile": {name: value for name, value in launch.arguments.items() if name.endswith(("_y", "rank"))},
    }


def kernel_source(launch: Launch) -> ASTSource:
    """The kernel with the types of its arguments, specialised as for a launch."""
    signature, constants, attributes = {}, {}, {}
    for index, parameter in enumerate(launch.kernel.params):
        name, value = parameter.name, launch.arguments[parameter.name]
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        is_specialised = is_integer and not parameter.do_not_specialize
        if parameter.is_constexpr or (is_specialised and value == 1):
            signature[name], constants[name] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[name] = POINTER_TYPES[value.dtype]
        else:
            signature[name] = ("i32" if abs(value) < 2**31 else "i64") if is_integer else "fp32"
        is_divisible = isinstance(value, torch.Tensor) or (is_specialised and value % 16 == 0)
        if signature[name] != "constexpr" and is_divisible:
            attributes[(index,)] = [["tt.divisibility", 16]]
    return ASTSource(launch.kernel, signature, constexprs=constants, attrs=attributes)
