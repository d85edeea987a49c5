"""Densities from a file as labels of a dataset."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from crowdgan_core.api import build_dataset, open_dataset, open_source
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_density.evaluation.ground_truth_estimator import GroundTruthEstimator


def named_scene(name: str) -> Scene:
    return Scene(source_name=name, size=(48, 64))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"one": 0.2, "folder/two.jpg": 3.5}))
    return path


def test_the_density_is_that_of_the_file(file: Path) -> None:
    estimator = pickle.loads(pickle.dumps(GroundTruthEstimator(file=file)))  # as in a worker process
    one, two = (estimator.estimate(named_scene(name)) for name in ("one", "folder/two.jpg"))
    assert (one.value, one.class_index, two.value, two.class_index) == (0.2, 0, 3.5, 5)


def test_the_scale_gives_the_classes(file: Path) -> None:
    estimator = GroundTruthEstimator(file=file, scale="1,2")
    assert len(estimator.classes) == 3
    assert estimator.estimate(named_scene("folder/two.jpg")).class_index == 2
    with pytest.raises(ConfigError, match="scale"):
        GroundTruthEstimator(scale="unknown")


def test_an_image_that_is_not_in_the_file_has_an_unknown_density(file: Path) -> None:
    estimate = GroundTruthEstimator(file=file).estimate(named_scene("three"))
    assert (estimate.value, estimate.reason) == (None, f"not in {file}")
    assert "set file=" in str(GroundTruthEstimator().estimate(named_scene("one")).reason)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing.json"):
        GroundTruthEstimator(file=tmp_path / "missing.json").estimate(named_scene("one"))


@pytest.mark.parametrize("workers", [1, 2])
def test_synthetic_crowds_are_labelled_with_their_exact_density(tmp_path: Path, workers: int) -> None:
    write_synthetic_dataset(SyntheticConfig(images=4, size=(96, 128)), tmp_path / "crowds")
    truth = json.loads((tmp_path / "crowds" / "truth.json").read_text())["pictures"]
    estimator = GroundTruthEstimator(file=tmp_path / "crowds" / "truth.json")
    source = open_source(tmp_path / "crowds")
    dest = tmp_path / "crowds.zip"
    build_dataset(source, dest, density=estimator, label_kind="value", resolution=(32, 32), workers=workers)
    with open_dataset(dest) as reader:
        labels = [record.label for record in reader.metadata.images]
    assert sorted(label[0] for label in labels) == pytest.approx(
        sorted(image["density_per_m2"] for image in truth.values())
    )
