"""The ops and training on a GPU, in one run: right, how fast against the memory they move, how fast in use.

Without a GPU it says so and exits with 2; with --compile-only it compiles the kernels for an H100 and says what they
take, which needs none. With --checks-only it does not time. Results go to a JSON file. Times are medians after warm-up,
by CUDA events.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import triton
from gpu_checks import check_all
from gpu_compile import SHARED_LIMIT, compile_all
from gpu_layers import Layer, layers
from training_steps import Case, measure
from triton.testing import do_bench

from crowdgan_stylegan3.config import generator_preset
from crowdgan_stylegan3.inference.random_init import random_generator
from crowdgan_stylegan3.ops import triton as ops

BATCHES = {256: 8, 1024: 2}
"""Images per batch, by resolution."""

COPY_BYTES = 2**30
"""Size of the copy that measures the bandwidth, several times the cache."""

WARM_UP_MS, REPEAT_MS = 20, 60

TRAINING = {
    "t 256², --batch 32": Case(variant="stylegan3-t", resolution=256, channel_base=16384, batch=32, batch_gpu=32),
    "r 256², --batch 32": Case(variant="stylegan3-r", resolution=256, channel_base=16384, batch=32, batch_gpu=32),
    "r 256², --batch 32 --batch-gpu 8 --gamma 2, as published": Case(
        variant="stylegan3-r", resolution=256, channel_base=16384, batch=32, batch_gpu=8, r1_gamma=2.0
    ),
}
"""What is trained; at 256² the layers of R take twice the channels, as the preset has it."""

TRAINING_STEPS, TRAINING_P, TRAINING_WORKERS = 4, 0.2, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="where the results go")
    parser.add_argument("--compile-only", action="store_true")
    parser.add_argument("--checks-only", action="store_true")
    options = parser.parse_args()
    if options.compile_only:
        return report_compiled()
    if not torch.cuda.is_available():
        print("no GPU: torch finds no CUDA device", file=sys.stderr)
        return 2
    device = torch.device("cuda")
    torch.manual_seed(0)
    checks = check_all(device)
    failed = [check for check in checks if not check["passed"]]
    print(f"checks: {len(checks) - len(failed)} of {len(checks)} passed")
    for check in failed:
        print(f"  {check['case']}: {check['error']:.2g}, at most {check['bound']:.2g}")
    result: dict[str, Any] = {**about(), "checks": checks}
    if not options.checks_only:
        bandwidth = copy_bandwidth(device)
        print(f"a copy moves {bandwidth / 1e9:.0f} GB/s")
        result |= {
            "copy_bandwidth": bandwidth,
            "layers": time_layers(device, bandwidth),
            "generators": generators(device),
            "training": training(device),
        }
    options.out.write_text(json.dumps(result, indent=1))
    return 1 if failed else 0


def about() -> dict[str, str]:
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": triton.__version__,
    }


def report_compiled() -> int:
    """Prints what each kernel takes; 1 where one takes more shared memory than a consumer GPU has."""
    results = compile_all()
    for item in results:
        print(
            f"{item['case']:55} {item['registers']:4} registers {item['stack']:5} B stack {item['shared']:7} B shared "
            f"{item['tensor_core_instructions']:4} tensor core instructions"
        )
    return int(any(item["shared"] > SHARED_LIMIT for item in results))


def copy_bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of a large copy."""
    source = torch.randn(COPY_BYTES // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / (median_ms(lambda: target.copy_(source)) * 1e-3)


def median_ms(call: Any) -> float:
    return float(do_bench(call, warmup=WARM_UP_MS, rep=REPEAT_MS, return_mode="median"))


def time_layers(device: torch.device, bandwidth: float) -> list[dict[str, Any]]:
    results = []
    for config in ("t", "r"):
        for resolution, batch in BATCHES.items():
            own = [time_layer(layer, batch, bandwidth) for layer in layers(config, resolution, device)]
            for item in own:
                item |= {"config": config, "resolution": resolution, "batch": batch}
            results += own
            total = {way: sum(item[way]["ms"] for item in own) for way in ("forward", "backward")}
            print(f"{config} {resolution}², batch {batch}, half precision: {total['forward']:.2f} ms forward, ", end="")
            print(f"{total['backward']:.2f} ms backward")
            for item in own:
                shares = ", ".join(
                    f"{way} {item[way]['ms']:.3f} ms {item[way]['gbps']:5.0f} GB/s {item[way]['share']:.0%}"
                    for way in ("forward", "backward")
                )
                print(f"  {item['layer']:14} {shares}")
    return results


def time_layer(layer: Layer, batch: int, bandwidth: float) -> dict[str, Any]:
    """Times of both directions, in half precision, with the share of the bandwidth of a copy."""
    device = layer.how.fu.device
    x = torch.randn(batch, layer.channels, layer.in_size, layer.in_size, device=device, dtype=torch.float16)
    v = torch.randn(batch, layer.channels, layer.out_size, layer.out_size, device=device, dtype=torch.float16)
    b = torch.randn(layer.channels, device=device, dtype=torch.float16)
    calls = {
        "forward": lambda: ops.filtered_lrelu(x, b, layer.how),
        "backward": lambda: ops.filtered_lrelu_linear(v, x, b, layer.how, True),
    }
    result: dict[str, Any] = {"layer": layer.name}
    for way, call in calls.items():
        ms, moved = median_ms(call), layer.bytes_moved(batch, 2, way == "backward")
        rate = moved / (ms * 1e-3)
        result[way] = {"ms": ms, "bytes": moved, "gbps": rate / 1e9, "share": rate / bandwidth}
    return result


def generators(device: torch.device) -> dict[str, float]:
    """Images per second of the generators."""
    rates = {}
    for variant in ("stylegan3-t", "stylegan3-r"):
        for resolution, batch in BATCHES.items():
            generator = random_generator(generator_preset(variant, resolution=resolution), seed=0).to(device)
            z = torch.randn(batch, generator.settings.z_dim, device=device)
            with torch.no_grad():
                rate = batch / (median_ms(lambda g=generator, z=z: g(z)) * 1e-3)
            rates[f"{variant} {resolution}"] = rate
            print(f"{variant} {resolution}², batch {batch}: {rate:.1f} images/s")
    return rates


def training(device: torch.device) -> dict[str, Any]:
    """Seconds per thousand images of training, memory, and where the time goes."""
    results = {}
    for name, case in TRAINING.items():
        found = measure(replace(case, augment_p=TRAINING_P, workers=TRAINING_WORKERS), device, TRAINING_STEPS)
        results[name] = found
        phases = ", ".join(f"{phase} {ms:.0f} ms" for phase, ms in found["phases_ms"].items())
        print(
            f"training {name}: {found['sec_per_kimg']:.2f} s per kimg, {found['peak_gib']:.1f} GiB, "
            f"data wait {found['data_wait']:.1%}; {phases}"
        )
    return results


if __name__ == "__main__":
    sys.exit(main())
