"""Speed of StyleGAN3 generators on a CPU: native ops, plain PyTorch, and a zero-inserting implementation.

Each case runs in a separate process, so that its peak memory is measured separately; ratios are between cases of
the same run. The zero-inserting implementation is defined in this script for comparison: upsampling inserts zeros,
filters run at the full rate, and each image has its own convolution weights, as in implementations without fused
kernels.
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

from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.networks import synthesis_stylegan3
from crowdgan_stylegan3.networks.generator import Generator

RESOLUTION, CHANNEL_BASE = 256, 16384
VARIANTS = ("stylegan3-t", "stylegan3-r")
IMPLEMENTATIONS = ("native", "reference", "zero-inserting")

GMAC = {"stylegan3-t": (105.0, 4.1), "stylegan3-r": (44.5, 19.1)}
"""GMAC of convolutions and of filters per image."""

NUM_REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,8", help="batch sizes; zero-inserting runs with the first only")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure_generator(*options.case)))
        return
    batches = options.batches.split(",")
    rate = matrix_product_gflops()
    print(f"{torch.get_num_threads()} threads; a float32 matrix product runs at {rate:.0f} GFLOP/s")
    for variant in VARIANTS:
        baseline_s = None
        for implementation in reversed(IMPLEMENTATIONS):
            for batch in batches[:1] if implementation == "zero-inserting" else batches:
                result = measure_in_process(variant, implementation, batch)
                baseline_s = baseline_s or result["seconds"]
                print(
                    f"  {variant} {implementation:14} batch {batch}: {result['seconds']:6.2f} s per image, "
                    f"{baseline_s / result['seconds']:5.1f} x zero-inserting, {result['peak_mib']:5.0f} MiB"
                )
        gmac = sum(GMAC[variant])
        print(f"  {variant}: {gmac:.0f} GMAC by direct summation take {2 * gmac / rate:.2f} s at that rate")


def matrix_product_gflops() -> float:
    """GFLOP/s of a large matrix product."""
    a, b = torch.randn(2, 2048, 2048)
    return 2 * 2048**3 / min_time_s(lambda: a @ b) / 1e9


def min_time_s(function: Callable[[], object]) -> float:
    """Minimum time of a call in seconds, after one warm-up call."""
    function()
    times = []
    for _ in range(NUM_REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_in_process(variant: str, implementation: str, batch: str) -> dict[str, float]:
    """Measures a case in a separate process."""
    environment = {**os.environ, "CROWDGAN_OPS": "native" if implementation == "native" else "reference"}
    command = [sys.executable, __file__, "--case", variant, implementation, batch]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def measure_generator(variant: str, implementation: str, batch: str) -> dict[str, float]:
    """Seconds per image, and peak memory of this process in MiB."""
    config = generator_config(variant, resolution=RESOLUTION, channel_base=CHANNEL_BASE)  # type: ignore[arg-type]
    generator = Generator(config).eval()
    if implementation == "zero-inserting":
        synthesis_stylegan3.filtered_lrelu = zero_inserting_filtered_lrelu
        synthesis_stylegan3.conv2d = grouped_conv2d
    z = torch.randn(int(batch), config.z_dim)
    with torch.no_grad():
        seconds = min_time_s(lambda: generator(z)) / int(batch)
    return {"seconds": seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def grouped_conv2d(x: Tensor, weight: Tensor, padding: int, in_scale: Tensor, out_scale: Tensor | None) -> Tensor:
    """Modulated convolution as one grouped convolution with separate weights for each image."""
    n, channels, height, width = x.shape
    weights = weight[None] * in_scale[:, None, :, None, None]
    if out_scale is not None:
        weights = weights * out_scale[:, :, None, None, None]
    y = F.conv2d(x.reshape(1, n * channels, height, width), weights.flatten(0, 1), padding=padding, groups=n)
    return y.reshape(n, -1, *y.shape[2:])


def zero_inserting_filtered_lrelu(
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
    """`filtered_lrelu` as separate steps at the full sampling rate."""
    x = zero_inserting_upfirdn2d(x.contiguous() + b[:, None, None], fu, up, 1, padding, up**2)
    x = F.leaky_relu(x, slope) * gain
    return zero_inserting_upfirdn2d(x if clamp is None else x.clamp(-clamp, clamp), fd, 1, down, (0, 0, 0, 0), 1)


def zero_inserting_upfirdn2d(
    x: Tensor, f: Tensor | None, up: int, down: int, padding: tuple[int, int, int, int], gain: float
) -> Tensor:
    """Inserts zeros, pads, filters with a depthwise convolution at the full rate, and keeps every down-th sample."""
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
