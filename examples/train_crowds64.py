"""Train the pretrained model `crowds64`: synthetic crowds of one surveillance camera, by density in persons/m².

Run it with `nox -s train-pretrained`. It can be stopped at any time and continues where it stopped. Three runs have
decreasing learning rates; each is initialised from the one before it. Each further call with a larger `--kimg`
continues the last run and replaces the exported model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from commands import crowdgan
from PIL import Image

CAMERA_OPTIONS = [
    *("--camera-height", "3.5", "3.7", "--camera-pitch", "38", "40", "--focal-length", "40", "40"),
    *("--crowd-region", "full", "--density", "0.1", "4", "--max-people", "300"),
]
"""A camera that looks down on a square which is evenly filled with people."""

SYNTH_OPTIONS = ["--images", "4000", "--resolution", "128x128", *CAMERA_OPTIONS]

LABEL_OPTIONS = ["--density", "ground-truth", "--label-kind", "value", "--resolution", "64x64"]
"""The exact density of each image in persons/m²."""

NETWORK_OPTIONS = [
    *("--cfg", "stylegan2", "--cbase", "1024", "--cmax", "64", "--latent-dim", "128", "--map-depth", "2"),
]
"""A StyleGAN2 with 0.7 million parameters in both networks, which a CPU can train."""

TRAINING_OPTIONS = [
    *("--batch", "16", "--gamma", "0.5", "--pl-weight", "0", "--style-mixing", "0"),
    *("--aug", "noaug", "--mirror", "1", "--tick", "2"),
]
"""Without path length penalty and style mixing, steps are faster."""

EARLIER_RUNS = {
    "first": ["--glr", "0.003", "--dlr", "0.003", "--ema-kimg", "10", "--kimg", "185"],
    "second": ["--glr", "0.002", "--dlr", "0.002", "--ema-kimg", "20", "--kimg", "160"],
}
"""Higher learning rates than for large networks."""

LAST_RUN = ["--glr", "0.001", "--dlr", "0.001", "--ema-kimg", "20"]

METRICS = "kid_lite0,density_fidelity"

SWEEP_OPTIONS = ["--seeds", "3-6", "--steps", "6", "--noise-mode", "random", "--sheet"]
"""Random noise of the layers, since it moves people too."""

MODEL_NAME = "crowds64.safetensors"

WEBP_QUALITY = 88


def main() -> None:
    """Renders, labels, trains, and exports the model to OUT/crowds64.safetensors and images to OUT/hero.webp."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder")
    parser.add_argument("--kimg", default="80", help="length of the last run in thousands of images (default: 80)")
    parser.add_argument("--snap", default="20", help="ticks of 2 kimg between snapshots, which are measured")
    options = parser.parse_args()
    out: Path = options.out
    crowds, dataset, model = out / "square", out / "square64.zip", out / MODEL_NAME
    if not crowds.exists():
        crowdgan("synth", crowds, *SYNTH_OPTIONS)
    if not dataset.exists():
        ground_truth = ("--set", f"file={crowds / 'truth.json'}")
        crowdgan("label", "--source", crowds, "--dest", dataset, *LABEL_OPTIONS, *ground_truth)
    snapshots = ("--snap", options.snap, "--metrics", METRICS)
    start: list[object] = [*NETWORK_OPTIONS]
    for name, run_options in EARLIER_RUNS.items():
        earlier = out / f"{name}.safetensors"
        if not earlier.exists():
            export(train(out / name, dataset, *start, *run_options, *snapshots), earlier)
        start = ["--resume", earlier]
    export(train(out / "last", dataset, *start, *LAST_RUN, *snapshots, "--kimg", options.kimg), model)
    crowdgan("inspect", model)
    crowdgan("sweep", "--network", model, *SWEEP_OPTIONS, "--outdir", out / "sweep", "--overwrite")
    Image.open(out / "sweep" / "sweep.png").save(out / "hero.webp", quality=WEBP_QUALITY)


def train(runs: Path, dataset: Path, *options: object) -> Path:
    """Trains, or continues the training; returns the run folder."""
    crowdgan("train", "stylegan3", "--outdir", runs, "--data", dataset, *TRAINING_OPTIONS, *options)
    (run,) = runs.iterdir()
    return run


def export(run: Path, dest: Path) -> None:
    """Exports the models of a run, with the discriminator."""
    crowdgan("stylegan3", "export", run, "--half", "--with-discriminator", "--dest", dest, "--overwrite")


if __name__ == "__main__":
    main()
