"""Messages of `crowdgan label`, `inspect` and `density`: errors of plugins, empty classes, exact class boundaries."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from crowdgan_core.models.card import CARD_KEY, ModelCard
from tests.integration.test_cli import crowdgan
from tests.support.sources import image_bytes, odgt, person, write_files

MODULE = '''
from dataclasses import dataclass
from typing import ClassVar

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.options import option
from crowdgan_core.hookspecs import hookimpl


@dataclass(frozen=True, kw_only=True)
class Faulty(DensityEstimator):
    """Person count, with errors."""

    name: ClassVar[str] = "faulty"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "some", "many")

    class_index: int = option(0, "class of all images")
    fails_at: int = option(0, "person count at which it fails")

    def estimate(self, scene):
        if scene.person_count == self.fails_at:
            raise KeyError("crowd")
        return DensityEstimate(value=scene.person_count, unit=self.unit, class_index=self.class_index)


@hookimpl
def crowdgan_register_density_estimators():
    return [Faulty]
'''
"""A plugin with an estimator that fails."""


@pytest.fixture
def plugin_path(tmp_path: Path) -> str:
    """Value of PYTHONPATH with an installed plugin distribution."""
    metadata = b"Metadata-Version: 2.1\nName: crowdgan-faulty\nVersion: 1.0\n"
    entries = {
        "faulty_plugin.py": MODULE.encode(),
        "crowdgan_faulty-1.0.dist-info/METADATA": metadata,
        "crowdgan_faulty-1.0.dist-info/entry_points.txt": b"[crowdgan]\nfaulty = faulty_plugin\n",
    }
    folder = write_files(tmp_path / "site", entries)
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


@pytest.fixture
def crowds(tmp_path: Path) -> Path:
    """Images with 5, 8 and 12 persons."""
    records = {f"image{count}": [person(20 + n, 10 + n) for n in range(count)] for count in (5, 8, 12)}
    entries = {f"Images/{name}.jpg": image_bytes(index) for index, name in enumerate(records)}
    return write_files(tmp_path / "crowds", {**entries, "annotation_train.odgt": odgt(records).encode()})


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("fails_at=8", " failed: image image8: KeyError: 'crowd'"),
        ("class_index=7", ": image image5: class_index is 7; it must be from 0 to 2"),
    ],
)
def test_an_estimator_that_fails_is_one_line_that_names_plugin_and_image(
    tmp_path: Path, crowds: Path, plugin_path: str, setting: str, problem: str, workers: str
) -> None:
    dest = tmp_path / "out.zip"
    arguments = ("label", "--source", crowds, "--dest", dest, "--density", "faulty", "--set", setting)
    run = crowdgan(*arguments, "--workers", workers, "--on-error", "skip", code=1, PYTHONPATH=plugin_path)
    [line] = [line for line in run.stderr.splitlines() if line.startswith("crowdgan: error: ")]
    plugin = "density estimator faulty of crowdgan-faulty"
    assert line == f"crowdgan: error: {plugin}{problem} (for the traceback, set CROWDGAN_TRACEBACK=1)"
    assert "Traceback" not in run.stderr
    assert not dest.exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_traceback_is_printed_on_request(tmp_path: Path, crowds: Path, plugin_path: str, workers: str) -> None:
    arguments = ("label", "--source", crowds, "--dest", tmp_path / "out.zip", "--density", "faulty")
    options = ("--set", "fails_at=8", "--workers", workers)
    run = crowdgan(*arguments, *options, code=1, PYTHONPATH=plugin_path, CROWDGAN_TRACEBACK="1")
    assert re.search(r'File ".*faulty_plugin\.py", line \d+, in estimate\n', run.stderr)
    assert run.stderr.splitlines()[-1].startswith("crowdgan: error: density estimator faulty of crowdgan-faulty failed")
    assert "CROWDGAN_TRACEBACK=1" in crowdgan("--help").stdout


def test_the_traceback_of_any_error_is_printed_on_request(tmp_path: Path) -> None:
    missing = tmp_path / "missing.zip"
    run = crowdgan("inspect", missing, code=1, CROWDGAN_TRACEBACK="0")
    assert run.stderr == f"crowdgan: error: {missing}: no such file or folder\n"
    run = crowdgan("inspect", missing, code=1, CROWDGAN_TRACEBACK="1")
    assert run.stderr.startswith("Traceback (most recent call last):\n")
    assert run.stderr.endswith(f"\ncrowdgan: error: {missing}: no such file or folder\n")


def test_empty_classes_are_reported_with_the_distribution_and_the_options(tmp_path: Path, crowds: Path) -> None:
    dest = tmp_path / "out.zip"
    run = crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", "--region", "full")
    assert "crowdgan: warning: no image has class dense\n" in run.stderr
    assert "  densities: 5 to 12, quartiles 6.5, 8, 10 (persons)\n" in run.stderr
    bounds = "sparse <= 10 < medium <= 30 < dense"
    remedy = "change them with --set sparse_up_to=VALUE --set medium_up_to=VALUE"
    assert run.stderr.endswith(f"  class boundaries: {bounds}; {remedy}\n")
    assert "images written" in run.stdout


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (
            ("--density", "sg3-threshold"),
            "sparse <= 10 < medium <= 30 < dense; sg3-threshold has no option that changes them",
        ),
        (("--density", "faulty"), "the class boundaries may be options of the estimator: see crowdgan density faulty"),
    ],
)
def test_fixed_and_unknown_boundaries_of_empty_classes(
    tmp_path: Path, crowds: Path, plugin_path: str, options: tuple[str, ...], hint: str
) -> None:
    arguments = ("label", "--source", crowds, "--dest", tmp_path / "out.zip", "--region", "full", *options)
    assert hint in crowdgan(*arguments, PYTHONPATH=plugin_path).stderr


def test_nothing_is_reported_if_every_class_has_images(tmp_path: Path, crowds: Path) -> None:
    options = ("--density", "threshold", "--region", "full", "--set", "sparse_up_to=5", "--set", "medium_up_to=8")
    run = crowdgan("label", "--source", crowds, "--dest", tmp_path / "out.zip", *options)
    assert "warning" not in run.stderr
    values = crowdgan("label", "--source", crowds, "--dest", tmp_path / "values.zip", *options, "--label-kind", "value")
    assert "warning" not in values.stderr


def test_inspect_prints_the_exact_boundaries(tmp_path: Path, crowds: Path, plugin_path: str) -> None:
    dest, converted = tmp_path / "out.zip", tmp_path / "converted.h5"
    crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", "--region", "full")
    crowdgan("convert", "--source", dest, "--dest", converted)
    for path in (dest, converted):
        output = crowdgan("inspect", path).stdout
        assert "\nclass boundaries: sparse <= 10 < medium <= 30 < dense (persons)\n" in output
    report = json.loads(crowdgan("inspect", dest, "--json").stdout)
    assert report["boundaries"] == [
        {"below": "sparse", "above": "medium", "value": 10.0, "is_exact": True},
        {"below": "medium", "above": "dense", "value": 30.0, "is_exact": True},
    ]


def test_inspect_marks_boundaries_of_older_datasets_as_approximate(tmp_path: Path, crowds: Path) -> None:
    dest = tmp_path / "out"
    crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", "--region", "full")
    index = json.loads((dest / "dataset.json").read_text())
    del index["crowdgan"]["class_bounds"]
    (dest / "dataset.json").write_text(json.dumps(index))
    line = "class boundary sparse | medium: about 10 persons (approximate, from the densities in the dataset)"
    assert line in crowdgan("inspect", dest).stdout.splitlines()


def test_density_prints_the_exact_boundaries_and_the_scale() -> None:
    assert "  class boundaries: sparse < 2 <= medium < 3 <= dense\n" in crowdgan("density", "grid").stdout
    text = crowdgan("density", "ground").stdout
    assert re.search(r"  class boundaries: A <= 0\.3086 < B <= .* < F \(scale fruin-walkway\)\n", text)
    [ground] = json.loads(crowdgan("density", "ground", "--json").stdout)
    assert ground["class_bounds"]["scale"] == "fruin-walkway"
    assert ground["class_bounds"]["values"] == [1 / 3.24, 1 / 2.32, 1 / 1.39, 1 / 0.93, 1 / 0.46]


def test_inspect_describes_vector_labels_as_vectors(tmp_path: Path) -> None:
    labels = [["a.png", [1.0, 0.5]], ["b.png", [25.0, 4.0]]]
    images = {name: image_bytes(index, image_format="PNG") for index, (name, _) in enumerate(labels)}
    dataset = write_files(tmp_path / "x", {**images, "dataset.json": json.dumps({"labels": labels}).encode()})
    output = crowdgan("inspect", dataset).stdout
    assert "  labels       vectors of 2 numbers\n" in output
    assert "  label 1      1 to 25, median 13\n  label 2      0.5 to 4, median 2.25\n" in output
    assert "density" not in output


def test_inspect_describes_vector_labels_of_a_model_as_vectors(tmp_path: Path) -> None:
    card = ModelCard(backend="blobs", resolution=(8, 8), label_dim=2, label_kind="value")
    header = json.dumps({"__metadata__": {CARD_KEY: json.dumps(card.to_json())}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert "  labels       vectors of 2 numbers\n" in crowdgan("inspect", path).stdout
