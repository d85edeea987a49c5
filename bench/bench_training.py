"""Speed of StyleGAN3 training on a CPU: seconds per kimg with native ops and with plain PyTorch.

Each case runs in a separate process; ratios are between cases of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import torch
from training_steps import TrainingCase, measure_training

CASES = {
    variant: TrainingCase(variant=variant, resolution=64, channel_base=4096, batch=8, batch_gpu=8)
    for variant in ("stylegan3-t", "stylegan3-r")
}

AUGMENT_P = 0.2
"""Augmentation probability, a typical value in training."""

NUM_STEPS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = replace(CASES[options.case], augment_p=AUGMENT_P)
        print(json.dumps(measure_training(case, torch.device("cpu"), NUM_STEPS)))
        return
    print(f"{torch.get_num_threads()} threads; 64², --cbase 4096 --batch 8, augmentation probability {AUGMENT_P}")
    for name in CASES:
        results = {ops: measure_in_process(name, ops) for ops in ("reference", "native")}
        for ops, result in results.items():
            speedup = results["reference"]["sec_per_kimg"] / result["sec_per_kimg"]
            updates = ", ".join(f"{update} {ms / 1000:.2f} s" for update, ms in result["phases_ms"].items())
            print(
                f"  {name} {ops:10} {result['sec_per_kimg']:6.0f} s per kimg, {speedup:4.2f} x reference; "
                f"data wait {result['data_wait']:.1%}; {updates}"
            )


def measure_in_process(name: str, ops: str) -> dict[str, Any]:
    """Measures a case in a separate process with this implementation of the ops."""
    environment = {**os.environ, "CROWDGAN_OPS": ops}
    command = [sys.executable, __file__, "--case", name]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


if __name__ == "__main__":
    main()
