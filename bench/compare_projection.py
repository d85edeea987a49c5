"""Compare methods of projection and tuning: reconstruction, and whether edits reach the requested density.

Images of a dataset that the model was not trained on are projected, tuned and edited to five densities. Density
predictors, fitted to the dataset, measure the edited images. Results are appended to OUT/results.jsonl after each
image and method; those that are in it are not repeated. The table shows means over the images and predictors, and the
standard deviation of the means of the seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crowdgan_core.api import load_generator, open_dataset
from crowdgan_core.datasets.record_densities import annotated_indices, record_densities
from crowdgan_core.manipulation.background_similarity import background_similarity, other_images
from crowdgan_core.manipulation.density_edit import Edit, edit_image, label_step
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.manipulation.projection import Projection, project_image, tune_projection
from crowdgan_core.manipulation.projector import LatentSpace, ProjectionOptions
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.models.latent_generator import LatentGenerator, require_latents
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.arrays import FloatArray, ImageArray

NUM_LEVELS = 5
"""Requested densities of an image, quantiles of the dataset."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """Options of a projection, and of the tuning that may follow."""

    distance_weight: float
    space: LatentSpace = "w"
    tuning: TuningOptions | None = None
    num_seeds: int | None = None
    """Number of seeds; None for all."""


METHODS = {
    "W, distance 0": Method(distance_weight=0.0),
    "W, distance 1": Method(distance_weight=1.0),
    "W, distance 3": Method(distance_weight=3.0),
    "W+, distance 1": Method(space="w+", distance_weight=1.0),
    "W, distance 3, tuned": Method(distance_weight=3.0, tuning=TuningOptions()),
    "W, distance 1, tuned": Method(distance_weight=1.0, tuning=TuningOptions()),
    "W, distance 0, tuned": Method(distance_weight=0.0, tuning=TuningOptions(), num_seeds=1),
    "W+, distance 1, tuned": Method(space="w+", distance_weight=1.0, tuning=TuningOptions(), num_seeds=1),
    "W, distance 1, tuned without locality": Method(
        distance_weight=1.0, tuning=TuningOptions(locality=False), num_seeds=1
    ),
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
        others = other_images(generator, [(level,) for level in levels.tolist()])
        for seed in range(options.seeds):
            for index in indices[: options.images].tolist():
                projections: dict[tuple[str, float], tuple[Projection, float]] = {}
                for name, method in METHODS.items():
                    is_unwanted = options.only and name not in options.only
                    if (name, seed, index) in done or is_unwanted or seed >= (method.num_seeds or options.seeds):
                        continue
                    image = reader.image(index)
                    projection, seconds = project(generator, image, seed, method, means, projections)
                    edited = edit(projection, levels, means).images
                    measured = measurement.measure(edited)
                    similarities = background_similarity(projection.best_image, edited, others)
                    strip = np.concatenate([image, projection.best_image, *edited], axis=1)
                    Image.fromarray(strip).save(options.out / f"{index}-{seed}-{list(METHODS).index(name)}.png")
                    yield {
                        "method": name,
                        "seed": seed,
                        "image": index,
                        **scores(projection),
                        "requested": levels.tolist(),
                        "measured": {key: values.tolist() for key, values in measured.items()},
                        "background": similarities.tolist(),
                        "seconds": seconds,
                    }


def project(
    generator: LatentGenerator,
    image: ImageArray,
    seed: int,
    method: Method,
    means: LatentMeans,
    known: dict[tuple[str, float], tuple[Projection, float]],
) -> tuple[Projection, float]:
    """A projection by a method, and its time in seconds; `known` projections of the image are tuned, not repeated."""
    key = method.space, method.distance_weight
    if key not in known:
        options = ProjectionOptions(seed=seed, space=method.space, distance_weight=method.distance_weight)
        start = time.monotonic()
        known[key] = project_image(generator, image, means=means, options=options), time.monotonic() - start
    projection, seconds = known[key]
    if method.tuning is None:
        return projection, seconds
    start = time.monotonic()
    tuned = tune_projection(projection, means, method.tuning, seed=seed)
    return tuned, seconds + time.monotonic() - start


def edit(projection: Projection, levels: FloatArray, means: LatentMeans) -> Edit:
    """Edits to the requested densities."""
    generator = projection.best_generator
    assert projection.label is not None
    steps = [label_step(generator.card, (level,)) for level in levels.tolist()]
    return edit_image(generator, projection.latent, projection.label, steps, means=means)


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
    """Prints the results as Markdown."""
    print("| method | runs | PSNR dB | SSIM | distance | Spearman | rising pairs | background | s/image |")
    print("|---|---|---|---|---|---|---|---|---|")
    for method in METHODS:
        rows = [row for row in results if row["method"] == method]
        if not rows:
            continue
        columns = np.array([row_scores(row) for row in rows]).T
        seeds = np.array([row["seed"] for row in rows])
        cells = [
            format_cell([float(column[seeds == seed].mean()) for seed in sorted(set(seeds.tolist()))], form)
            for column, form in zip(columns, FORMATS, strict=True)
        ]
        print(f"| {method} | {len(rows)} | {' | '.join(cells)} |")


FORMATS = (".1f", ".2f", ".2f", ".2f", ".2f", ".2f", ".0f")


def row_scores(row: dict[str, Any]) -> list[float]:
    """The columns of the table for one image."""
    predictors = row["measured"].values()
    return [
        row["psnr_db"],
        row["ssim"],
        row["distance"],
        statistics.mean(rank_correlation(row["requested"], values) for values in predictors),
        statistics.mean(rising_pairs(values) for values in predictors),
        statistics.mean(row["background"]),
        row["seconds"],
    ]


def format_cell(values: Sequence[float], form: str) -> str:
    """Mean over the seeds, and their standard deviation if there are several."""
    mean = format(statistics.mean(values), form)
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2g}"


def rank_correlation(requested: list[float], measured: list[float]) -> float:
    """Spearman's rank correlation of the densities of one image; there are no ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (requested, measured)]
    return float(np.corrcoef(*ranks)[0, 1])


def rising_pairs(measured: list[float]) -> float:
    """Fraction of neighbouring densities that rise."""
    return float(np.mean(np.diff(measured) > 0))


if __name__ == "__main__":
    main()
