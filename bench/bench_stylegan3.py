"""How fast StyleGAN3 makes images on a CPU: native ops, plain PyTorch, and the classic zero-inserting formulation.

Each case runs in a process of its own, so that its peak memory is its own; ratios are those of one run. The classic
formulation is written here for comparison: zeros are inserted and multiplied, filters run at the full rate, and each
image's convolution has weights of its own, as in implementations that have no fused kernels to fall back from.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.config import generator_preset
from crowdgan_stylegan3.networks import synthesis_stylegan3
from crowdgan_stylegan3.networks.generator import Generator

RESOLUTION, CHANNEL_BASE = 256, 16384
VARIANTS = ("stylegan3-t", "stylegan3-r")
FORMS = ("native", "reference", "zero-inserting")
GMAC = {"stylegan3-t": (105.0, 4.1), "stylegan3-r": (44.5, 19.1)}
"""GMAC of convolutions and of filters per image."""

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,8", help="batch sizes; the zero-inserting form runs with the first")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(*options.case)))
        return
    batches = options.batches.split(",")
    rate = matrix_rate()
    print(f"{torch.get_num_threads()} threads; a float32 matrix product runs at {rate:.0f} GFLOP/s")
    for variant in VARIANTS:
        base = None
        for form in reversed(FORMS):
            for batch in batches[:1] if form == "zero-inserting" else batches:
                found = in_own_process(variant, form, batch)
                base = base or found["seconds"]
                print(
                    f"  {variant} {form:14} batch {batch}: {found['seconds']:6.2f} s per image, "
                    f"{base / found['seconds']:5.1f} times as fast as zero-inserting, {found['peak_mib']:5.0f} MiB"
                )
        gmac = sum(GMAC[variant])
        print(f"  {variant}: {gmac:.0f} GMAC by direct summation take {2 * gmac / rate:.2f} s at that rate")


def matrix_rate() -> float:
    """GFLOP/s of a large matrix product."""
    a, b = torch.randn(2, 2048, 2048)
    return 2 * 2048**3 / best_s(lambda: a @ b) / 1e9


def best_s(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def in_own_process(variant: str, form: str, batch: str) -> dict[str, float]:
    environment = {**os.environ, "CROWDGAN_OPS": "native" if form == "native" else "reference"}
    command = [sys.executable, __file__, "--case", variant, form, batch]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def measure(variant: str, form: str, batch: str) -> dict[str, float]:
    settings = generator_preset(variant, resolution=RESOLUTION, channel_base=CHANNEL_BASE)  # type: ignore[arg-type]
    generator = Generator(settings).eval()
    if form == "zero-inserting":
        synthesis_stylegan3.filtered_lrelu, synthesis_stylegan3.conv2d = classic_filtered_lrelu, classic_conv2d
    z = torch.randn(int(batch), settings.z_dim)
    with torch.no_grad():
        seconds = best_s(lambda: generator(z)) / int(batch)
    return {"seconds": seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def classic_conv2d(x: Tensor, weight: Tensor, padding: int, in_scale: Tensor, out_scale: Tensor | None) -> Tensor:
    """One grouped convolution with the weights of each image."""
    n, channels, height, width = x.shape
    weights = weight[None] * in_scale[:, None, :, None, None]
    if out_scale is not None:
        weights = weights * out_scale[:, :, None, None, None]
    y = F.conv2d(x.reshape(1, n * channels, height, width), weights.flatten(0, 1), padding=padding, groups=n)
    return y.reshape(n, -1, *y.shape[2:])


def classic_filtered_lrelu(
    x: Tensor,
    fu: Tensor | None,
    fd: Tensor | None,
    b: Tensor,
    up: int,
    down: int,
    padding: tuple[int, int, int, int],
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    x = zero_inserting(x.contiguous() + b[:, None, None], fu, up, 1, padding, up**2)
    x = F.leaky_relu(x, slope) * gain
    return zero_inserting(x if clamp is None else x.clamp(-clamp, clamp), fd, 1, down, (0, 0, 0, 0), 1)


def zero_inserting(
    x: Tensor, f: Tensor | None, up: int, down: int, padding: tuple[int, int, int, int], gain: float
) -> Tensor:
    """Zeros inserted and padded, depthwise convolution at the full rate, every down-th sample kept."""
    n, channels, height, width = x.shape
    x = F.pad(x.reshape(n, channels, height, 1, width, 1), [0, up - 1, 0, 0, 0, up - 1])
    x = F.pad(x.reshape(n, channels, height * up, width * up), padding)
    if f is not None:
        taps = f.flip(tuple(range(f.ndim))) * gain ** (f.ndim / 2)
        for kernel in [taps] if f.ndim == 2 else [taps[None, :], taps[:, None]]:
            x = F.conv2d(x, kernel.expand(channels, 1, *kernel.shape), groups=channels)
    return x[:, :, ::down, ::down]


if __name__ == "__main__":
    main()
