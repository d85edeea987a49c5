"""Demo: render synthetic crowds, label them, train a model, generate images of each density class, and check them.

Run it with `nox -s demo`; on two cores it takes 10 to 20 minutes. All steps are crowdgan commands. The last one
measures the density of generated images with two predictors; whether it increases from class to class is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from commands import crowdgan
from PIL import Image

from crowdgan_core.api import load_generator
from crowdgan_core.metrics.fidelity_report import REPORT_NAME, FidelityReport, MeasuredImage, read_report
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import class_names
from crowdgan_core.models.generation.strips import add_captions, image_strip
from crowdgan_core.utils.arrays import ImageArray

SYNTH_OPTIONS = ["--images", "600"]
LABEL_OPTIONS = [
    *("--density", "grid", "--set", "medium_from=2.6", "--set", "dense_from=4.6"),
    *("--resolution", "32x32"),
]
"""Classes by the person count of the fullest cells of a grid, with about equal numbers of images."""

NETWORK_OPTIONS = ["--cfg", "stylegan2", "--cbase", "1024", "--cmax", "64"]
"""StyleGAN2, since StyleGAN3 needs longer than a demo to generate recognisable people."""

TRAINING_OPTIONS = [
    *("--batch", "16", "--gamma", "0.1", "--glr", "0.003", "--dlr", "0.003", "--mirror", "1", "--kimg", "24"),
]
"""Higher learning rates than for long runs, and therefore a higher gamma."""

TRUNCATION_PSI = 0.8

NUM_SHEET_IMAGES, NUM_MEASURED_IMAGES = 8, 96
"""Images per class on the image sheet, and measured images of all classes."""


def main() -> None:
    """Runs all steps of the demo; their output is below the folder OUT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder")
    out: Path = parser.parse_args().out
    crowds, dataset, runs = out / "crowds", out / "crowds.zip", out / "runs"
    crowdgan("synth", crowds, *SYNTH_OPTIONS, "--overwrite")
    crowdgan("label", "--source", crowds, "--dest", dataset, *LABEL_OPTIONS, "--overwrite")
    crowdgan("inspect", dataset, "--contact-sheet", out / "labelled.png", "--overwrite")
    crowdgan("train", "stylegan3", "--outdir", runs, "--data", dataset, *NETWORK_OPTIONS, *TRAINING_OPTIONS, "--new")
    model = sorted(runs.glob("*/network-snapshot-*.safetensors"))[-1]
    crowdgan("sweep", "--network", model, "--seed", "3", "--trunc", TRUNCATION_PSI, "--outdir", out, "--overwrite")
    generator = load_generator(model)
    Image.fromarray(image_sheet(generator)).save(out / "generated.png")
    measured = ("--num-images", NUM_MEASURED_IMAGES, "--trunc", TRUNCATION_PSI, "--outdir", out / "fidelity")
    crowdgan("metrics", "density", "--network", model, "--data", dataset, *measured, "--overwrite")
    print_measured_densities(read_report(out / "fidelity" / REPORT_NAME))
    print(f"{out / 'labelled.png'}: images of the dataset, one row per density class")
    print(f"{out / 'fidelity'}: requested against measured density, and the best and worst images")
    print(f"{out / 'generated.png'}: generated images, one row per class and one seed per column")
    print(f"{model}: the model, for crowdgan generate --network")


def generate_class(generator: ImageGenerator, class_index: int, count: int) -> ImageArray:
    """Generates images of one class, `[count, H, W, 3]`."""
    labels = np.eye(generator.card.label_dim, dtype=np.float32)[[class_index] * count]
    return generator.generate(range(count), labels, truncation_psi=TRUNCATION_PSI)


def image_sheet(generator: ImageGenerator) -> ImageArray:
    """Generated images `[H, W, 3]`, one row per class and one seed per column."""
    rows = []
    for class_index, name in enumerate(class_names(generator.card)):
        images = list(generate_class(generator, class_index, NUM_SHEET_IMAGES))
        rows.append(image_strip(add_captions(images, [[name]] * NUM_SHEET_IMAGES)))
    return np.concatenate(rows)


def print_measured_densities(report: FidelityReport) -> None:
    """Prints the median measured density of each class, for real and generated images, by each predictor."""
    print(f"\nMedian measured density ({report.unit}):")
    for index, predictor in enumerate(report.predictors):
        real, generated = class_medians(report, report.held_out, index), class_medians(report, report.measured, index)
        for name, real_median, median in zip(report.classes, real, generated, strict=True):
            print(f"  {predictor.name:6} {name:8} dataset {real_median:5.1f}   generated {median:5.1f}")
        if not predictor.is_void:
            result = "increases" if (np.diff(generated) > 0).all() else "does NOT increase"
            print(f"  {predictor.name:6} the density of generated images {result} from class to class")
    print()


def class_medians(report: FidelityReport, images: tuple[MeasuredImage, ...], predictor: int) -> list[float]:
    """Median density of each class that one of the predictors measured."""
    classes = range(len(report.classes))
    values = [[item.measured[predictor] for item in images if item.requested_class == index] for index in classes]
    return [float(np.median(densities)) for densities in values]


if __name__ == "__main__":
    main()
