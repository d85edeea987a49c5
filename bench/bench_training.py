"""How fast StyleGAN3 trains on a CPU: seconds per thousand images with native ops and with plain PyTorch.

Each case runs in a process of its own; ratios are those of one run. The share that waits for data is that of the native
ops, whose steps are the shortest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace

import torch
from training_steps import Case, measure

CASES = {
    variant: Case(variant=variant, resolution=64, channel_base=4096, batch=8, batch_gpu=8)
    for variant in ("stylegan3-t", "stylegan3-r")
}
AUGMENT_P = 0.2
"""Probability of augmentations, a usual one in training."""

STEPS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = replace(CASES[options.case], augment_p=AUGMENT_P)
        print(json.dumps(measure(case, torch.device("cpu"), STEPS)))
        return
    print(f"{torch.get_num_threads()} threads; 64², --cbase 4096 --batch 8, augmentation at {AUGMENT_P}")
    for name in CASES:
        found = {form: in_own_process(name, form) for form in ("reference", "native")}
        for form, item in found.items():
            ratio = found["reference"]["sec_per_kimg"] / item["sec_per_kimg"]
            phases = ", ".join(f"{phase} {ms / 1000:.2f} s" for phase, ms in item["phases_ms"].items())
            print(
                f"  {name} {form:10} {item['sec_per_kimg']:6.0f} s per kimg, {ratio:4.2f} times as fast as reference; "
                f"data wait {item['data_wait']:.1%}; {phases}"
            )


def in_own_process(name: str, form: str) -> dict[str, float]:
    environment = {**os.environ, "CROWDGAN_OPS": form}
    command = [sys.executable, __file__, "--case", name]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


if __name__ == "__main__":
    main()
