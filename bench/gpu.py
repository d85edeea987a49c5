"""Correctness checks of the ops, and timings of ops, generators and training, on a GPU.

Ops are compared with the reference, and their speed with the bandwidth of a copy. Without a GPU the script exits with
code 2. --compile-only compiles the kernels for an H100 and prints their resource usage, which needs no GPU.
--checks-only skips the timings. Results are written to a JSON file. Times are medians after warm-up, measured by CUDA
events.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import triton
from gpu_checks import check_all
from gpu_compile import MAX_SHARED_BYTES, compile_all
from gpu_layers import FilteredLreluLayer, filtered_layers
from training_steps import TrainingCase, measure_training
from triton.testing import do_bench

from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.random_init import random_generator
from crowdgan_stylegan3.ops import triton as ops

BATCH_SIZES = {256: 8, 1024: 2}
"""Batch size by resolution."""

COPY_BYTES = 2**30
"""Size of the copy whose bandwidth is measured, several times the cache."""

WARM_UP_MS, REPEAT_MS = 20, 60

TRAINING_CASES = {
    "t 256², --batch 32": TrainingCase(
        variant="stylegan3-t", resolution=256, channel_base=16384, batch=32, batch_gpu=32
    ),
    "r 256², --batch 32": TrainingCase(
        variant="stylegan3-r", resolution=256, channel_base=16384, batch=32, batch_gpu=32
    ),
    "r 256², --batch 32 --batch-gpu 8 --gamma 2, as published": TrainingCase(
        variant="stylegan3-r", resolution=256, channel_base=16384, batch=32, batch_gpu=8, r1_gamma=2.0
    ),
}
"""Training runs to measure; at 256² the layers of R have twice the channels, as in the preset."""

TRAINING_STEPS, AUGMENT_P, TRAINING_WORKERS = 4, 0.2, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="output file")
    parser.add_argument("--compile-only", action="store_true", help="print resource usage of the kernels")
    parser.add_argument("--checks-only", action="store_true", help="skip the timings")
    options = parser.parse_args()
    if options.compile_only:
        return print_compiled()
    if not torch.cuda.is_available():
        print("torch has no CUDA device; run this script on a GPU", file=sys.stderr)
        return 2
    device = torch.device("cuda")
    torch.manual_seed(0)
    checks = check_all(device)
    failed = [check for check in checks if not check["passed"]]
    print(f"checks: {len(checks) - len(failed)} of {len(checks)} passed")
    for check in failed:
        print(f"  {check['case']}: relative error {check['error']:.2g}; the maximum is {check['bound']:.2g}")
    result: dict[str, Any] = {**environment(), "checks": checks}
    if not options.checks_only:
        bandwidth = copy_bandwidth(device)
        print(f"bandwidth of a copy: {bandwidth / 1e9:.0f} GB/s")
        result |= {
            "copy_bandwidth": bandwidth,
            "layers": time_layers(device, bandwidth),
            "generators": time_generators(device),
            "training": time_training(device),
        }
    options.out.write_text(json.dumps(result, indent=1))
    return 1 if failed else 0


def environment() -> dict[str, str]:
    """Date, device and versions."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": triton.__version__,
    }


def print_compiled() -> int:
    """Prints the resource usage of each kernel; returns 1 if one needs more shared memory than consumer GPUs have."""
    results = compile_all()
    for item in results:
        print(
            f"{item['case']:55} {item['registers']:4} registers {item['stack']:5} B stack {item['shared']:7} B shared "
            f"{item['tensor_core_instructions']:4} tensor core instructions"
        )
    return int(any(item["shared"] > MAX_SHARED_BYTES for item in results))


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written per second by a large copy."""
    source = torch.randn(COPY_BYTES // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / (median_ms(lambda: target.copy_(source)) * 1e-3)


def median_ms(function: Callable[[], object]) -> float:
    """Median time of a call in milliseconds."""
    return float(do_bench(function, warmup=WARM_UP_MS, rep=REPEAT_MS, return_mode="median"))


def time_layers(device: torch.device, bandwidth: float) -> list[dict[str, Any]]:
    """Times of the filtered_lrelu of all layers, in half precision."""
    results = []
    for config in ("t", "r"):
        for resolution, batch in BATCH_SIZES.items():
            times = [time_layer(layer, batch, bandwidth) for layer in filtered_layers(config, resolution, device)]
            for item in times:
                item |= {"config": config, "resolution": resolution, "batch": batch}
            results += times
            total = {direction: sum(item[direction]["ms"] for item in times) for direction in ("forward", "backward")}
            print(f"{config} {resolution}², batch {batch}, half precision: {total['forward']:.2f} ms forward, ", end="")
            print(f"{total['backward']:.2f} ms backward")
            for item in times:
                text = ", ".join(f"{name} {format_speed(item[name])}" for name in ("forward", "backward"))
                print(f"  {item['layer']:14} {text}")
    return results


def format_speed(result: dict[str, float]) -> str:
    return f"{result['ms']:.3f} ms {result['gbps']:5.0f} GB/s {result['bandwidth_fraction']:.0%}"


def time_layer(layer: FilteredLreluLayer, batch: int, bandwidth: float) -> dict[str, Any]:
    """Times of both directions in half precision, and the fraction of a copy's bandwidth."""
    device = layer.params.fu.device
    x = torch.randn(batch, layer.channels, layer.in_size, layer.in_size, device=device, dtype=torch.float16)
    v = torch.randn(batch, layer.channels, layer.out_size, layer.out_size, device=device, dtype=torch.float16)
    b = torch.randn(layer.channels, device=device, dtype=torch.float16)
    functions = {
        "forward": lambda: ops.filtered_lrelu(x, b, layer.params),
        "backward": lambda: ops.filtered_lrelu_linear(v, x, b, layer.params, True),
    }
    result: dict[str, Any] = {"layer": layer.name}
    for direction, function in functions.items():
        ms, num_bytes = median_ms(function), layer.min_bytes(batch, 2, backward=direction == "backward")
        rate = num_bytes / (ms * 1e-3)
        result[direction] = {"ms": ms, "bytes": num_bytes, "gbps": rate / 1e9, "bandwidth_fraction": rate / bandwidth}
    return result


def time_generators(device: torch.device) -> dict[str, float]:
    """Images per second of each generator."""
    rates = {}
    for variant in ("stylegan3-t", "stylegan3-r"):
        for resolution, batch in BATCH_SIZES.items():
            generator = random_generator(generator_config(variant, resolution=resolution), seed=0).to(device)
            z = torch.randn(batch, generator.config.z_dim, device=device)
            with torch.no_grad():
                rate = batch / (median_ms(lambda g=generator, z=z: g(z)) * 1e-3)
            rates[f"{variant} {resolution}"] = rate
            print(f"{variant} {resolution}², batch {batch}: {rate:.1f} images/s")
    return rates


def time_training(device: torch.device) -> dict[str, Any]:
    """Seconds per kimg, memory and times of the updates of each training run."""
    results = {}
    for name, case in TRAINING_CASES.items():
        case = replace(case, augment_p=AUGMENT_P, workers=TRAINING_WORKERS)
        result = measure_training(case, device, TRAINING_STEPS)
        results[name] = result
        updates = ", ".join(f"{update} {ms:.0f} ms" for update, ms in result["phases_ms"].items())
        print(
            f"training {name}: {result['sec_per_kimg']:.2f} s per kimg, {result['peak_gib']:.1f} GiB, "
            f"data wait {result['data_wait']:.1%}; {updates}"
        )
    return results


if __name__ == "__main__":
    sys.exit(main())
