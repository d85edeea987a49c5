"""Speed of training on a CPU: native ops, plain PyTorch, and a zero-inserting implementation.

Each case runs in a separate process, so that its peak memory is measured separately; ratios are between cases of the
same run, of steps without regularisation. The zero-inserting implementation is defined in `zero_inserting.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

import torch
from training_steps import TrainingCase, measure_training
from zero_inserting import use_zero_inserting_ops

AUGMENT_P = 0.2
"""Augmentation probability, a typical value in training."""

CASES = {
    variant: TrainingCase(variant=variant, resolution=64, channel_base=4096, batch=8, batch_gpu=8, augment_p=AUGMENT_P)
    for variant in ("stylegan3-t", "stylegan3-r", "stylegan2")
}

IMPLEMENTATIONS = ("zero-inserting", "reference", "native")

NUM_STEPS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", default=",".join(CASES), help="comma-separated variants of the generator")
    parser.add_argument("--implementations", default=",".join(IMPLEMENTATIONS), help="the first one is the baseline")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        torch.set_num_threads(options.threads)
        print(json.dumps(measure_case(*options.case)))
        return
    print(f"{options.threads} threads; 64², --cbase 4096 --batch 8, augmentation probability {AUGMENT_P}")
    for variant in options.variants.split(","):
        baseline_s = None
        for implementation in options.implementations.split(","):
            result = measure_in_process(variant, implementation, options.threads)
            baseline_s = baseline_s or result["step_s"]
            updates = ", ".join(f"{update} {ms / 1000:.2f} s" for update, ms in result["phases_ms"].items())
            print(
                f"  {variant} {implementation:14} {result['step_s']:6.2f} s per step, "
                f"{baseline_s / result['step_s']:5.2f} x baseline; {result['sec_per_kimg']:6.0f} s per kimg; "
                f"peak memory {result['peak_gib']:.2f} GiB; data wait {result['data_wait']:.1%}; {updates}",
                flush=True,
            )


def measure_in_process(variant: str, implementation: str, threads: int) -> dict[str, Any]:
    """Measures a case in a separate process with an implementation of the ops."""
    environment = {**os.environ, "CROWDGAN_OPS": "native" if implementation == "native" else "reference"}
    command = [sys.executable, __file__, "--threads", str(threads), "--case", variant, implementation]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout)


def measure_case(variant: str, implementation: str) -> dict[str, Any]:
    """Times of training steps; the slow zero-inserting implementation runs a single step, without regularisation."""
    case, device = CASES[variant], torch.device("cpu")
    if implementation != "zero-inserting":
        return measure_training(case, device, NUM_STEPS)
    use_zero_inserting_ops()
    return measure_training(case, device, 1, num_warm_up_steps=0, regularise=False)


if __name__ == "__main__":
    main()
