"""Compiles the kernels ahead of time for a compute capability, without a GPU, and reads what they take."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from gpu_layers import CLAMP, GAIN, SLOPE, Layer, layers
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from crowdgan_stylegan3.ops.arguments import resampling, taps_of
from crowdgan_stylegan3.ops.triton.bias_act import plan_bias_act
from crowdgan_stylegan3.ops.triton.filtered_lrelu import plan_filtered_lrelu
from crowdgan_stylegan3.ops.triton.launch import OPTIONS, Launch
from crowdgan_stylegan3.ops.triton.upfirdn2d import plan_upfirdn2d

CAPABILITY = 90
"""Hopper: H100, H200."""

SHARED_LIMIT = 99 * 1024
"""Bytes of shared memory that one program may take on consumer GPUs; 227 KiB on Hopper."""

POINTERS = {torch.float32: "*fp32", torch.float16: "*fp16"}
READER = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
RESOURCES = re.compile(r"REG:(\d+) STACK:(\d+)")


def compile_all() -> list[dict[str, Any]]:
    """What each kernel takes, in the forms that the layers of configurations T and R need at 256²."""
    results = []
    for dtype in POINTERS:
        x = torch.empty(2, 64, 64, 64, dtype=dtype)
        bias_act = plan_bias_act(x, x, x, x[0, :, 0, 0], 1, "lrelu", SLOPE, GAIN, CLAMP, 1)
        results.append({"case": f"bias_act {dtype}", **compiled(bias_act)})
        for up, down, size in ((2, 1, 128), (1, 2, 32)):
            out, f = torch.empty(2, 64, size, size, dtype=dtype), torch.ones(4)
            how = resampling(up, down, (2, 1) if up > 1 else (1, 1), gain=up**2)
            results.append({"case": f"upfirdn2d {dtype} {up}/{down}", **compiled(plan_upfirdn2d(out, x, f, how))})
        for config in ("t", "r"):
            for index in (10, 11):  # factors 4 and 2
                layer = layers(config, 256, torch.device("cpu"))[index]
                for name, launch in zip(("forward", "transposed"), filtered_launches(layer, dtype), strict=True):
                    case = f"filtered_lrelu {dtype} {config} {layer.how.rise.up[0]}/{layer.how.fall.down[0]} {name}"
                    results.append({"case": case, **compiled(launch)})
    return results


def filtered_launches(layer: Layer, dtype: torch.dtype) -> tuple[Launch, Launch]:
    """The forward and the transposed kernel of a layer."""
    size = (layer.in_size, layer.in_size)
    x = torch.empty(1, layer.channels, *size, dtype=dtype)
    out = torch.empty(1, layer.channels, layer.out_size, layer.out_size, dtype=dtype)
    b, how = torch.empty(layer.channels, dtype=dtype), layer.how
    before = (how.fd, how.fall.transposed(how.between(size), taps_of(how.fd)))
    after = (how.fu, how.rise.transposed(size, taps_of(how.fu)))
    return (
        plan_filtered_lrelu(out, None, x, b, how, None, (how.fd, how.fall)),
        plan_filtered_lrelu(x, out, x, b, how, before, after),
    )


def compiled(launch: Launch) -> dict[str, Any]:
    """Registers a thread, bytes of stack a thread (spills) and of shared memory a program, tensor core instructions."""
    made = triton.compile(source_of(launch), target=GPUTarget("cuda", CAPABILITY, 32), options=OPTIONS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(made.asm["cubin"])
        said = subprocess.run(
            [READER, "--dump-resource-usage", path], capture_output=True, text=True, check=True
        ).stdout
    found = RESOURCES.search(said)
    assert found is not None
    return {
        "registers": int(found[1]),
        "stack": int(found[2]),
        "shared": made.metadata.shared,
        "tensor_core_instructions": len(re.findall(r"\b(?:wgmma\.mma_async|mma\.sync)", made.asm["ptx"])),
        "tile": {name: value for name, value in launch.arguments.items() if name.endswith(("_y", "rank"))},
    }


def source_of(launch: Launch) -> ASTSource:
    """A kernel with the types of its arguments, specialised as a start of it would be."""
    signature, constants, attributes = {}, {}, {}
    for index, parameter in enumerate(launch.kernel.params):
        name, value = parameter.name, launch.arguments[parameter.name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        special = whole and not parameter.do_not_specialize
        if parameter.is_constexpr or (special and value == 1):
            signature[name], constants[name] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[name] = POINTERS[value.dtype]
        else:
            signature[name] = ("i32" if abs(value) < 2**31 else "i64") if whole else "fp32"
        if signature[name] != "constexpr" and (isinstance(value, torch.Tensor) or (special and value % 16 == 0)):
            attributes[(index,)] = [["tt.divisibility", 16]]
    return ASTSource(launch.kernel, signature, constexprs=constants, attrs=attributes)
