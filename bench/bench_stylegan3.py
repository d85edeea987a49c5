"""Speed of StyleGAN3 generators on a CPU: native ops, plain PyTorch, and a zero-inserting implementation.

Each case runs in a separate process, so that its peak memory is measured separately; ratios are between cases of
the same run. The zero-inserting implementation is defined in `zero_inserting.py`.
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
from zero_inserting import use_zero_inserting_ops

from crowdgan_stylegan3.config import generator_config
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
        use_zero_inserting_ops()
    z = torch.randn(int(batch), config.z_dim)
    with torch.no_grad():
        seconds = min_time_s(lambda: generator(z)) / int(batch)
    return {"seconds": seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    main()
