"""The whole story on made-up crowds: images, labels, training, images of each density, and a measure of them.

`nox -s demo` runs it; on two cores it takes some eight minutes. Every step but the last is a command of crowdgan's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.api import load_generator, open_dataset
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import class_names
from crowdgan_core.models.generation.strips import add_captions, image_strip
from crowdgan_core.utils.arrays import ImageArray

Floats = npt.NDArray[np.float64]

CROWDS = ["--images", "600"]
LABELS = ["--density", "grid", "--set", "medium_from=16", "--set", "dense_from=50", "--resolution", "32x32"]
"""Classes by the fullest cell of a grid: people that stand side by side, at whatever distance."""

NETWORK = ["--cfg", "stylegan2", "--cbase", "1024", "--cmax", "64"]
"""The generator of 2020: StyleGAN3's needs longer than a demo may take to show people."""

TRAINING = ["--batch", "16", "--gamma", "0.1", "--glr", "0.003", "--dlr", "0.003", "--mirror", "1", "--kimg", "24"]
"""Faster than is good for long runs: higher rates, and so a higher gamma."""

TRUNCATION = 0.8

SHOWN, MEASURED = 8, 64
"""Images per class on the sheet, and for the measure."""


def main() -> None:
    """Runs every step below a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for everything that is made")
    out: Path = parser.parse_args().out
    crowds, dataset, runs = out / "crowds", out / "crowds.zip", out / "runs"
    crowdgan("synth", crowds, *CROWDS, "--overwrite")
    crowdgan("label", "--source", crowds, "--dest", dataset, *LABELS, "--overwrite")
    crowdgan("inspect", dataset, "--contact-sheet", out / "labelled.png", "--overwrite")
    crowdgan("train", "stylegan3", "--outdir", runs, "--data", dataset, *NETWORK, *TRAINING, "--new")
    model = sorted(runs.glob("*/network-snapshot-*.safetensors"))[-1]
    crowdgan("sweep", "--network", model, "--seed", "3", "--trunc", TRUNCATION, "--outdir", out, "--overwrite")
    generator = load_generator(model)
    Image.fromarray(sheet_of_classes(generator)).save(out / "made.png")
    print_measure(dataset, generator)
    print(f"Look at {out / 'labelled.png'}: the images that were labelled, one row per density class.")
    print(f"Look at {out / 'made.png'}: images that the model made, one row per class, one place per column.")
    print(f"The model is {model}; crowdgan generate --network takes it.")


def crowdgan(*arguments: object) -> None:
    """Runs a command."""
    print("\n$ crowdgan", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "crowdgan_core", *map(str, arguments)], check=True)


def made(generator: ImageGenerator, label: int, count: int) -> ImageArray:
    """Images `[count, H, W, 3]` of a class."""
    labels = np.eye(generator.card.label_dim, dtype=np.float32)[[label] * count]
    return generator.generate(range(count), labels, truncation_psi=TRUNCATION)


def sheet_of_classes(generator: ImageGenerator) -> ImageArray:
    """One row per class, one seed per column."""
    rows = []
    for label, name in enumerate(class_names(generator.card)):
        rows.append(image_strip(add_captions(list(made(generator, label, SHOWN)), [[name]] * SHOWN)))
    return np.concatenate(rows)


def print_measure(dataset: Path, generator: ImageGenerator) -> None:
    """Prints how crowded images of each class are: of the dataset, and made."""
    reader = open_dataset(dataset)
    meter, agreement = CrowdMeter.fitted(reader)
    names = class_names(generator.card)
    labels = np.array([record.label for record in reader.metadata.images])
    real = [meter.persons(images(reader, np.flatnonzero(labels == label))) for label in range(len(names))]
    fake = [meter.persons(made(generator, label, MEASURED)) for label in range(len(names))]
    print(f"\nPersons in the fullest cell, judged from the pixels; rank correlation {agreement:.2f}:")
    for name, of_real, of_fake in zip(names, real, fake, strict=True):
        print(f"  {name:8} dataset {of_real.mean():5.1f}   made {of_fake.mean():5.1f}")
    means = [of_fake.mean() for of_fake in fake]
    verdict = "grows from class to class" if (np.diff(means) > 0).all() else "does NOT grow from class to class"
    print(f"The crowding of the made images {verdict}.\n")


@dataclass(frozen=True)
class CrowdMeter:
    """Ridge regression of the crowding on colours, contrasts and edges of a coarse grid of squares."""

    mean: Floats
    scale: Floats
    weights: Floats
    offset: float

    @classmethod
    def fitted(cls, reader: DatasetReader) -> tuple[CrowdMeter, float]:
        """A meter fitted to a dataset, and the rank correlation of others with the truth on images left out."""
        features = described(images(reader, np.arange(len(reader))))
        truth = np.log([record.density or 1 for record in reader.metadata.images])
        fold = np.arange(len(truth)) % 5
        guessed = np.empty(len(truth))
        for left_out in range(5):
            meter = cls.of(features[fold != left_out], truth[fold != left_out])
            guessed[fold == left_out] = meter.log_persons(features[fold == left_out])
        ranks = [np.argsort(np.argsort(values)) for values in (guessed, truth)]
        return cls.of(features, truth), float(np.corrcoef(ranks)[0, 1])

    @classmethod
    def of(cls, features: Floats, truth: Floats, ridge: float = 100.0) -> CrowdMeter:
        """The meter for features `[N, values]` and logarithms of persons `[N]`."""
        mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        x = (features - mean) / scale
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ (truth - truth.mean()))
        return cls(mean, scale, weights, float(truth.mean()))

    def log_persons(self, features: Floats) -> Floats:
        """Logarithms of persons `[N]`."""
        return (features - self.mean) / self.scale @ self.weights + self.offset

    def persons(self, some: ImageArray) -> Floats:
        """Persons `[N]` in the fullest cell of images `[N, H, W, 3]`."""
        return np.exp(self.log_persons(described(some)))


def described(some: ImageArray) -> Floats:
    """Features `[N, values]` of images `[N, H, W, 3]`: means over squares of colours, saturation and edges."""
    colours = some / 255
    grey = colours.mean(axis=3, keepdims=True)
    edges = [np.abs(np.diff(grey, axis=axis, append=grey.take([-1], axis))) for axis in (1, 2)]
    maps = np.concatenate([colours, grey**2, colours.std(axis=3, keepdims=True), *edges], axis=3)
    count, height, width, channels = maps.shape
    side = height // 4
    return maps.reshape(count, 4, side, 4, width // 4, channels).mean(axis=(2, 4)).reshape(count, -1)


def images(reader: DatasetReader, numbers: npt.NDArray[np.intp]) -> ImageArray:
    """Images `[N, H, W, 3]` of a dataset."""
    return np.stack([reader.image(int(number)) for number in numbers])


if __name__ == "__main__":
    main()
