"""`crowdgan metrics` with a model backend and a feature extractor installed by pip."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.feature_extractors import random_images, write_dataset

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_model_is_evaluated_with_an_extractor_of_a_plugin(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data.zip", random_images(8, (32, 32)), [0, 1, 2, 2] * 2)
    arguments = ("--network", blob_models / "class.safetensors", "--data", data, "--num-images", "6")
    run = blobs("metrics", *arguments, "--metrics", "kid_grid-colours,pr_grid-colours", "--json", "-")
    report = json.loads(run.stdout)
    keys = [key for result in report["results"] for key in result["values"]]
    assert keys == ["kid_grid-colours", "pr_grid-colours_precision", "pr_grid-colours_recall"]
    assert all(np.isfinite(item["value"]) for result in report["results"] for item in result["values"].values())
    assert run.stderr == "6 generated images (--num-images), seed 0: kid_grid-colours, pr_grid-colours\n"


def test_official_metrics_without_weights_are_refused_in_one_line(
    blobs: Run, blob_models: Path, tmp_path: Path
) -> None:
    data = write_dataset(tmp_path / "data.zip", random_images(8, (32, 32)), [0, 1, 2, 2] * 2)
    arguments = ("--network", blob_models / "class.safetensors", "--data", data, "--metrics", "fid50k_full")
    run = blobs("metrics", *arguments, code=1)
    assert run.stdout == ""
    assert run.stderr.startswith("crowdgan: error: fid50k_full: ")
    assert run.stderr.count("\n") == 1
