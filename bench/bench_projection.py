"""Time and memory of projection, tuning and edits per image, with networks of random weights in the default sizes.

Each case runs in its own process, which reports its peak memory. Times of steps are medians, multiplied by the default
numbers of steps.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from crowdgan_core.manipulation.projection import Projection, tune_projection
from crowdgan_core.manipulation.projector import ProjectionOptions, Projector
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.random_init import random_card, random_generator

CLASSES = ("sparse", "medium", "dense")
NUM_STEPS = 5
"""Measured steps; the first one, which compiles and allocates, does not count."""


def main() -> None:
    """Measures each case in its own process and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["stylegan2", "stylegan3-t"])
    parser.add_argument("--resolutions", nargs="+", type=int, default=[32, 64, 256])
    parser.add_argument("--case", nargs=2, metavar=("VARIANT", "RESOLUTION"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case[0], int(options.case[1]))))
        return
    print("| network | projection s | tuning s | edit to 5 densities s | memory GiB |\n|---|---|---|---|---|")
    for variant in options.variants:
        for side in options.resolutions:
            command = [sys.executable, __file__, "--case", variant, str(side)]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            cells = [f"{result[key]:.3g}" for key in ("projection_s", "tuning_s", "edit_s", "peak_gib")]
            print(f"| {variant}, {side}x{side} | {' | '.join(cells)} |", flush=True)


def measure(variant: str, side: int) -> dict[str, float]:
    """Seconds per image of a projection, of a tuning and of an edit, and peak memory in GiB."""
    config = generator_config(variant, resolution=side, label_dim=len(CLASSES))
    generator = StyleGanImageGenerator(random_generator(config), random_card(config, CLASSES, 0), "cpu")
    label = (1.0, 0.0, 0.0)
    target = generator.generate([1], np.array([label], np.float32))
    means = LatentMeans(generator)
    means.mean(label)
    options, tuning = ProjectionOptions(), TuningOptions(num_tuning_steps=2 * NUM_STEPS)
    projector = Projector(generator, target, [label], means, options)
    projection_step = median_s(projector.step)
    projection = Projection(
        generator=generator,
        target=target[0],
        latent=projector.latents,
        label=label,
        image=target[0],
        distance=0.0,
        num_steps=NUM_STEPS,
    )
    start = time.perf_counter()
    tune_projection(projection, means, tuning)
    tuning_step = (time.perf_counter() - start) / tuning.num_tuning_steps
    edit = median_s(lambda: generator.synthesise(np.repeat(projector.latents, 5, axis=0)))
    return {
        "projection_s": options.num_steps * projection_step,
        "tuning_s": TuningOptions().num_tuning_steps * tuning_step,
        "edit_s": edit,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def median_s(call: Callable[[], object]) -> float:
    """Median seconds of a call."""
    times = []
    for _ in range(NUM_STEPS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
