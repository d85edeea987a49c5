"""Compare options of training at equal length: quality, and agreement of generated images with the requested density.

Small networks are trained on synthetic crowds of one camera, once per option and seed. Results are appended to
OUT/results.jsonl after each run; runs that are in it are not repeated. The table shows the mean over the seeds and the
standard deviation between them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crowdgan_core.api import build_dataset, load_generator, open_dataset, open_source
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.metrics.evaluation import compute_metrics, select_metrics
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_core.utils.progress import NullProgress
from crowdgan_density.evaluation.ground_truth_estimator import GroundTruthEstimator
from crowdgan_stylegan3.training.api import train
from crowdgan_stylegan3.training.config.options import TrainOptions

NUM_IMAGES = 500
"""Generated images per run that are evaluated."""

METRICS = ["kid_lite0", "pr_lite0", "density_fidelity"]

CAMERA: dict[str, Any] = {
    "density": (0.1, 4.0),
    "camera_height_m": (3.5, 3.7),
    "camera_pitch_deg": (38.0, 40.0),
    "focal_length_mm": (40, 40),
    "crowd_region": "full",
    "max_people": 300,
}
"""Synthetic crowds of one surveillance camera."""

CLASS_BOUNDS = "0.342,1.17"
"""Boundaries of three classes with equal numbers of images, in persons/m²."""


@dataclass(frozen=True, kw_only=True)
class DatasetCase:
    """A dataset of the comparison, and the options that are compared on it."""

    images: int
    label_kind: str
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


CASES = {
    "values": DatasetCase(
        images=1000,
        label_kind="value",
        options={
            "hard vicinity (default)": {"vicinity": "hard"},
            "no vicinity": {"vicinity": "none"},
            "soft vicinity": {"vicinity": "soft"},
            "transition": {"transition_kimg": (4.0, 12.0)},
        },
    ),
    "classes": DatasetCase(
        images=150,
        label_kind="class",
        options={
            "default": {},
            "transition": {"transition_kimg": (4.0, 12.0)},
            "unconditional": {"conditional": False},
            "balance": {"balance_classes": True},
        },
    ),
}


def main() -> None:
    """Runs all combinations that are not in the results, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder")
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument("--kimg", type=float, default=24.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="names of options")
    parser.add_argument("--table", action="store_true", help="print the table of the results, without new runs")
    options = parser.parse_args()
    results = options.out / "results.jsonl"
    if not options.table:
        for name in CASES:
            create_dataset(options.out, name, options.resolution)
        for result in missing_runs(options, read_results(results)):
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
    print_table(read_results(results))


def create_dataset(out: Path, name: str, side_px: int) -> None:
    """Renders and labels the dataset OUT/NAME.zip, unless it exists."""
    case, dest = CASES[name], out / f"{name}.zip"
    if dest.exists():
        return
    folder = out / f"{name}-source"
    write_synthetic_dataset(SyntheticConfig(images=case.images, size=(128, 128), **CAMERA), folder, overwrite=True)
    estimator = GroundTruthEstimator(file=folder / "truth.json", scale=CLASS_BOUNDS)
    build_dataset(
        open_source(folder),
        dest,
        density=estimator,
        label_kind=case.label_kind,  # type: ignore[arg-type]
        resolution=(side_px, side_px),
    )


def missing_runs(options: argparse.Namespace, results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results of runs that are not among `results`, one seed of all options after the other."""
    done = {(result["dataset"], result["option"], result["seed"]) for result in results}
    with open_dataset(options.out / "values.zip") as values, open_dataset(options.out / "classes.zip") as classes:
        inputs = {"values": create_inputs(values), "classes": create_inputs(classes)}
        for seed in range(options.seeds):
            for dataset, case in CASES.items():
                for option, changes in case.options.items():
                    if (dataset, option, seed) in done or (options.only and option not in options.only):
                        continue
                    yield {
                        "dataset": dataset,
                        "option": option,
                        "seed": seed,
                        **run(options, dataset, seed, changes, inputs[dataset]),
                    }


def create_inputs(reader: DatasetReader) -> EvaluationInputs:
    """Inputs of the metrics; features of real images and density predictors are computed once."""
    return EvaluationInputs(
        real=DatasetImages(reader),
        dataset=reader,
        num_images=NUM_IMAGES,
        extractors=installed_plugins().feature_extractors,
    )


def run(
    options: argparse.Namespace, dataset: str, seed: int, changes: Mapping[str, Any], inputs: EvaluationInputs
) -> dict[str, Any]:
    """Trains a model; returns its metrics, diversities and time."""
    settings: dict[str, Any] = {
        "data": (options.out / f"{dataset}.zip").resolve(),
        "variant": "stylegan2",
        "channel_base": 16 * options.resolution,
        "channel_max": 32,
        "latent_dim": 64,
        "mapping_layers": 2,
        "batch": 16,
        "r1_gamma": 0.1,
        "generator_lr": 0.003,
        "discriminator_lr": 0.003,
        "path_length_weight": 0.0,
        "style_mixing": 0.0,
        "mirror": True,
        "total_kimg": options.kimg,
        "snapshot_ticks": 1000,
        "workers": 0,
        "seed": seed,
        "metrics": "none",
    }
    start = time.monotonic()
    folder = train(TrainOptions(**{**settings, **changes}), options.out / "runs", new=True, device="cpu")
    seconds = time.monotonic() - start
    values = {}
    generator = load_generator(folder.snapshot_path(options.kimg), "cpu")
    metrics = METRICS if generator.card.label_dim else METRICS[:2]
    selection = select_metrics(metrics, installed_plugins().metrics)
    inputs = inputs.with_generator(generator)
    for result in compute_metrics(inputs, selection, num_images=NUM_IMAGES, progress=NullProgress()).results:
        values |= {key: item.value for key, item in result.values.items()}
    last = json.loads(folder.stats_path.read_text().splitlines()[-1])
    spreads = [entry["mean"] for key, entry in last.items() if key.startswith("Collapse/spread/")]
    return {**values, "spread": statistics.mean(spreads), "seconds_per_kimg": seconds / options.kimg}


def read_results(path: Path) -> list[dict[str, Any]]:
    """The results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


COLUMNS = {
    "kid_lite0 x 1000": ("kid_lite0", 1000),
    "recall": ("pr_lite0_recall", 1),
    "spread": ("spread", 1),
    "Spearman": ("density_fidelity_spearman", 1),
    "ordered pairs": ("density_fidelity_ordering", 1),
    "s/kimg": ("seconds_per_kimg", 1),
}
"""Keys of the results and factors, by the heading of the column."""


def print_table(results: list[dict[str, Any]]) -> None:
    """Prints the results as Markdown."""
    for dataset in CASES:
        print(f"\n| {dataset} | seeds | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
        for option in CASES[dataset].options:
            rows = [row for row in results if (row["dataset"], row["option"]) == (dataset, option)]
            if rows:
                cells = [
                    format_cell([row[key] * factor for row in rows if key in row]) for key, factor in COLUMNS.values()
                ]
                print(f"| {option} | {len(rows)} | {' | '.join(cells)} |")


def format_cell(values: list[float]) -> str:
    """Mean and standard deviation of a column; a dash without values."""
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3g}{spread}"


if __name__ == "__main__":
    main()
