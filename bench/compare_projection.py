"""Compare methods of projection and tuning: reconstruction, and whether edits reach the requested density.

Images of a dataset that the model was not trained on are projected, tuned and edited to five densities. Density
predictors, fitted to the dataset, measure the edited images. Results are appended to OUT/results.jsonl
after each image and method; those that are in it are not repeated. The table shows means over images and seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crowdgan_core.api import load_generator, open_dataset
from crowdgan_core.datasets.record_densities import annotated_indices, record_densities
from crowdgan_core.manipulation.density_edit import edit_image, label_step
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.manipulation.projection import Projection, project_image
from crowdgan_core.manipulation.projector import ProjectionOptions
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.models.latent_generator import LatentGenerator, require_latents
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.arrays import FloatArray, ImageArray

NUM_LEVELS = 5
"""Requested densities of an image, quantiles of the dataset."""

METHODS: dict[str, dict[str, Any]] = {
    "W": {"distance_weight": 0.0},
    "W, distance 0.056": {},
    "W+, distance 0.056": {"space": "w+"},
    "W, distance 0.056, tuned without locality": {"tuning": TuningOptions(locality=False)},
    "W, distance 0.056, tuned": {"tuning": TuningOptions()},
}


def main() -> None:
    """Runs all combinations that are not in the results, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder")
    parser.add_argument("--network", default="crowds64", help="model with densities as labels (default: crowds64)")
    parser.add_argument("--data", type=Path, help="dataset with densities, not used in training")
    parser.add_argument("--images", type=int, default=20, help="number of images (default: 20)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="names of methods")
    parser.add_argument("--table", action="store_true", help="print the table of the results, without new runs")
    options = parser.parse_args()
    results = options.out / "results.jsonl"
    if not options.table:
        options.out.mkdir(parents=True, exist_ok=True)
        for result in missing_results(options, read_results(results)):
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
    print_table(read_results(results))


def missing_results(options: argparse.Namespace, results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results of methods, seeds and images that are not among `results`."""
    done = {(result["method"], result["seed"], result["image"]) for result in results}
    generator = require_latents(load_generator(options.network, "cpu"), "projection")
    means = LatentMeans(generator)
    with open_dataset(options.data) as reader:
        measurement = DensityMeasurement.fit(
            reader, installed_plugins(), resolution=generator.card.resolution, device="cpu"
        )
        indices = annotated_indices(reader.metadata)
        densities = record_densities([reader.metadata.images[index] for index in indices])
        levels = np.quantile(densities, (np.arange(NUM_LEVELS) + 0.5) / NUM_LEVELS)
        for seed in range(options.seeds):
            for method, settings in METHODS.items():
                for index in indices[: options.images].tolist():
                    if (method, seed, index) in done or (options.only and method not in options.only):
                        continue
                    image = reader.image(index)
                    projection, seconds = project(generator, image, seed, settings, means)
                    images, measured = edit(projection, levels, means, measurement)
                    strip = np.concatenate([image, projection.best_image, *images], axis=1)
                    Image.fromarray(strip).save(options.out / f"{index}-{seed}-{list(METHODS).index(method)}.png")
                    yield {
                        "method": method,
                        "seed": seed,
                        "image": index,
                        **scores(projection),
                        "requested": levels.tolist(),
                        "measured": measured,
                        "seconds": seconds,
                    }


def project(
    generator: LatentGenerator, image: ImageArray, seed: int, settings: Mapping[str, Any], means: LatentMeans
) -> tuple[Projection, float]:
    """A projection by a method, and its time in seconds."""
    fields = {name: value for name, value in settings.items() if name != "tuning"}
    start = time.monotonic()
    projection = project_image(
        generator, image, means=means, options=ProjectionOptions(seed=seed, **fields), tuning=settings.get("tuning")
    )
    return projection, time.monotonic() - start


def edit(
    projection: Projection, levels: FloatArray, means: LatentMeans, measurement: DensityMeasurement
) -> tuple[ImageArray, dict[str, list[float]]]:
    """Images at the requested densities, and their densities by the name of the predictor."""
    generator = projection.best_generator
    assert projection.label is not None
    steps = [label_step(generator.card, (level,)) for level in levels.tolist()]
    images = edit_image(generator, projection.latent, projection.label, steps, means=means).images
    return images, {name: values.tolist() for name, values in measurement.measure(images).items()}


def scores(projection: Projection) -> dict[str, float]:
    """Scores of the best image, and the distance from the mean latent."""
    values = projection.scores()
    prefix = "" if projection.tuner is None else "tuned_"
    return {
        "psnr_db": values[f"{prefix}psnr_db"],
        "ssim": values[f"{prefix}ssim"],
        "distance": projection.distance,
    }


def read_results(path: Path) -> list[dict[str, Any]]:
    """The results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def print_table(results: list[dict[str, Any]]) -> None:
    """Prints the results as Markdown: means over images and seeds, density scores as means over the predictors."""
    print("| method | images | PSNR dB | SSIM | distance | Spearman | rising pairs | s/image |")
    print("|---|---|---|---|---|---|---|---|")
    for method in METHODS:
        rows = [row for row in results if row["method"] == method]
        if not rows:
            continue
        means = [statistics.mean(row[key] for row in rows) for key in ("psnr_db", "ssim", "distance")]
        pairs = [(row["requested"], values) for row in rows for values in row["measured"].values()]
        spearman = statistics.mean(rank_correlation(*pair) for pair in pairs)
        rising = statistics.mean(rising_pairs(values) for _, values in pairs)
        seconds = statistics.mean(row["seconds"] for row in rows)
        cells = [f"{means[0]:.1f}", f"{means[1]:.2f}", f"{means[2]:.2f}", f"{spearman:.2f}", f"{rising:.2f}"]
        print(f"| {method} | {len(rows)} | {' | '.join(cells)} | {seconds:.0f} |")


def rank_correlation(requested: list[float], measured: list[float]) -> float:
    """Spearman's rank correlation of the densities of one image; there are no ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (requested, measured)]
    return float(np.corrcoef(*ranks)[0, 1])


def rising_pairs(measured: list[float]) -> float:
    """Fraction of neighbouring densities that rise."""
    return float(np.mean(np.diff(measured) > 0))


if __name__ == "__main__":
    main()
