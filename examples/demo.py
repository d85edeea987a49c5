"""Demo: render synthetic crowds, label them, train a model, generate images of each density class, and check them.

Run it with `nox -s demo`; on two cores it takes about eight minutes. All steps but the last are crowdgan commands. The
last one predicts the density of generated images from their pixels, to check that it increases from class to class.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from crowdgan_core.api import load_generator, open_dataset
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import class_names
from crowdgan_core.models.generation.strips import add_captions, image_strip
from crowdgan_core.utils.arrays import FloatArray, ImageArray, IndexArray

SYNTH_OPTIONS = ["--images", "600"]
LABEL_OPTIONS = [
    *("--density", "grid", "--set", "medium_from=16", "--set", "dense_from=50"),
    *("--resolution", "32x32"),
]
"""Classes by the maximum person count of a grid cell, which does not depend on the distance to the camera."""

NETWORK_OPTIONS = ["--cfg", "stylegan2", "--cbase", "1024", "--cmax", "64"]
"""StyleGAN2, since StyleGAN3 needs longer than a demo to generate recognisable people."""

TRAINING_OPTIONS = [
    *("--batch", "16", "--gamma", "0.1", "--glr", "0.003", "--dlr", "0.003", "--mirror", "1", "--kimg", "24"),
]
"""Higher learning rates than for long runs, and therefore a higher gamma."""

TRUNCATION_PSI = 0.8

NUM_SHEET_IMAGES, NUM_CHECKED_IMAGES = 8, 64
"""Images per class on the image sheet, and for the check."""

NUM_FOLDS = 5
"""Folds of the cross-validation."""

RIDGE_PENALTY = 100.0
"""Weight of the squared coefficients in the ridge regression."""


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
    print_predicted_densities(dataset, generator)
    print(f"{out / 'labelled.png'}: images of the dataset, one row per density class")
    print(f"{out / 'generated.png'}: generated images, one row per class and one seed per column")
    print(f"{model}: the model, for crowdgan generate --network")


def crowdgan(*arguments: object) -> None:
    """Runs a crowdgan command."""
    print("\n$ crowdgan", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "crowdgan_core", *map(str, arguments)], check=True)


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


def print_predicted_densities(dataset: Path, generator: ImageGenerator) -> None:
    """Prints the mean predicted person count of each class, for the dataset and for generated images."""
    reader = open_dataset(dataset)
    regression, rank_correlation = DensityRegression.fit_dataset(reader)
    print(f"\nPredicted person count of the fullest grid cell (rank correlation {rank_correlation:.2f}):")
    labels = np.array([record.label for record in reader.metadata.images])
    means = []
    for class_index, name in enumerate(class_names(generator.card)):
        real = regression.predict_counts(read_images(reader, np.flatnonzero(labels == class_index)))
        generated = regression.predict_counts(generate_class(generator, class_index, NUM_CHECKED_IMAGES))
        means.append(generated.mean())
        print(f"  {name:8} dataset {real.mean():5.1f}   generated {means[-1]:5.1f}")
    result = "increases" if (np.diff(means) > 0).all() else "does NOT increase"
    print(f"The density of generated images {result} from class to class.\n")


@dataclass(frozen=True)
class DensityRegression:
    """Ridge regression of the logarithmic person count on image features."""

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    offset: float

    @classmethod
    def fit_dataset(cls, reader: DatasetReader) -> tuple[DensityRegression, float]:
        """A regression fitted to a dataset, and the rank correlation of its cross-validated predictions."""
        features = image_features(read_images(reader, np.arange(len(reader))))
        log_counts = np.log([record.density or 1 for record in reader.metadata.images])
        fold = np.arange(len(log_counts)) % NUM_FOLDS
        predictions = np.empty(len(log_counts))
        for held_out in range(NUM_FOLDS):
            regression = cls.fit(features[fold != held_out], log_counts[fold != held_out])
            predictions[fold == held_out] = regression.predict_log_counts(features[fold == held_out])
        ranks = [np.argsort(np.argsort(values)) for values in (predictions, log_counts)]
        return cls.fit(features, log_counts), float(np.corrcoef(ranks)[0, 1])

    @classmethod
    def fit(cls, features: FloatArray, log_counts: FloatArray) -> DensityRegression:
        """A regression fitted to features `[N, num_features]` and logarithmic person counts `[N]`."""
        mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        x = (features - mean) / scale
        penalty = RIDGE_PENALTY * np.eye(x.shape[1])
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ (log_counts - log_counts.mean()))
        return cls(mean, scale, weights, float(log_counts.mean()))

    def predict_log_counts(self, features: FloatArray) -> FloatArray:
        """Logarithmic person counts `[N]` of features `[N, num_features]`."""
        return (features - self.mean) / self.scale @ self.weights + self.offset

    def predict_counts(self, images: ImageArray) -> FloatArray:
        """Person counts `[N]` of the fullest grid cell of images `[N, H, W, 3]`."""
        return np.exp(self.predict_log_counts(image_features(images)))


def image_features(images: ImageArray) -> FloatArray:
    """Features `[N, num_features]` of images `[N, H, W, 3]`: colour, saturation and edges, averaged over 4x4 cells."""
    colours = images / 255
    grey = colours.mean(axis=3, keepdims=True)
    edges = [np.abs(np.diff(grey, axis=axis, append=grey.take([-1], axis))) for axis in (1, 2)]
    channels = np.concatenate([colours, grey**2, colours.std(axis=3, keepdims=True), *edges], axis=3)
    count, height, width, num_channels = channels.shape
    cells = channels.reshape(count, 4, height // 4, 4, width // 4, num_channels)
    return cells.mean(axis=(2, 4)).reshape(count, -1)


def read_images(reader: DatasetReader, indices: IndexArray) -> ImageArray:
    """Images `[N, H, W, 3]` of a dataset."""
    return np.stack([reader.image(int(index)) for index in indices])


if __name__ == "__main__":
    main()
