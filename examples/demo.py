"""Demo: render and label synthetic crowds, fine-tune the pretrained model `crowds64` on them, and check the result.

Run it with `nox -s demo`. All steps are crowdgan commands. The last one measures the density of generated images with
two predictors and compares it with the requested density.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from commands import crowdgan
from train_crowds64 import CAMERA_OPTIONS, SWEEP_OPTIONS

PRETRAINED = "crowds64"

SYNTH_OPTIONS = ["--images", "300", "--resolution", "128x128", "--seed", "7", *CAMERA_OPTIONS]
"""Images of a square like those that the pretrained model was trained on, from another random seed."""

LABEL_OPTIONS = ["--density", "ground", "--label-kind", "value", "--resolution", "64x64"]
"""Persons/m², estimated from the boxes of the people in each image."""

TRAINING_OPTIONS = [
    *("--batch", "16", "--gamma", "0.5", "--glr", "0.001", "--dlr", "0.001", "--pl-weight", "0"),
    *("--style-mixing", "0", "--ema-kimg", "1", "--aug", "noaug", "--mirror", "1", "--kimg", "4", "--metrics", "none"),
]
"""Lower learning rates than for the pretrained model, and a shorter moving average, since training is short."""

NUM_MEASURED_IMAGES = 96


def main() -> None:
    """Runs all steps of the demo; their output is below the folder OUT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder")
    out: Path = parser.parse_args().out
    crowds, dataset, runs = out / "crowds", out / "crowds.zip", out / "runs"
    crowdgan("sweep", "--network", PRETRAINED, *SWEEP_OPTIONS, "--outdir", out / "pretrained", "--overwrite")
    crowdgan("synth", crowds, *SYNTH_OPTIONS, "--overwrite")
    crowdgan("label", "--source", crowds, "--dest", dataset, *LABEL_OPTIONS, "--overwrite")
    crowdgan("inspect", dataset, "--contact-sheet", out / "labelled.png", "--overwrite")
    data = ("--outdir", runs, "--data", dataset, "--resume", PRETRAINED)
    crowdgan("train", "stylegan3", *data, *TRAINING_OPTIONS, "--new")
    model = sorted(runs.glob("*/network-snapshot-*.safetensors"))[-1]
    crowdgan("sweep", "--network", model, *SWEEP_OPTIONS, "--outdir", out / "fine-tuned", "--overwrite")
    measured = ("--num-images", NUM_MEASURED_IMAGES, "--outdir", out / "fidelity")
    crowdgan("metrics", "density", "--network", model, "--data", dataset, *measured, "--overwrite")
    print()
    print(f"{out / 'labelled.png'}: images of the dataset with their estimated densities")
    for name in ("pretrained", "fine-tuned"):
        print(f"{out / name / 'sweep.png'}: images of the {name} model from sparse to dense, one row per seed")
    print(f"{out / 'fidelity'}: requested against measured density, and the best and worst images")
    print(f"{model}: the model, for crowdgan generate --network")


if __name__ == "__main__":
    main()
