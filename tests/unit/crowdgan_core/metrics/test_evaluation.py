"""Evaluation of models and sets of images by the Python API and by `crowdgan metrics`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from crowdgan_blobs.features import GridColours
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model, write_model

from crowdgan_core.api import evaluate_metrics, open_dataset
from crowdgan_core.cli.metrics import command
from crowdgan_core.errors import CheckpointError, ConfigError, CrowdganError, DatasetError, PluginError
from crowdgan_core.metrics import evaluation, frechet_distance, kernel_distance, precision_recall
from crowdgan_core.metrics.feature_metrics import InceptionScoreMetric, extractor_metrics, official_metrics
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.metric import Metric, MetricValue
from crowdgan_core.metrics.opening import match_weights
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.plugins.discovery import installed_plugins
from tests.support.blob_plugins import installed_blobs
from tests.support.feature_extractors import WEIGHTS, CountedColours, WeightedColours, random_images, write_dataset

SIZE = (16, 16)


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> Iterator[None]:
    with installed_blobs():
        yield


@pytest.fixture
def generator() -> BlobGenerator:
    return BlobGenerator(example_model("class", SIZE))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(path, example_model("class", SIZE))
    return path


@pytest.fixture
def data(tmp_path: Path, generator: BlobGenerator) -> Path:
    """A dataset of 12 images of the generator, of the classes in turn."""
    labels = [index % 3 for index in range(12)]
    images = generator.generate(range(100, 112), np.eye(3, dtype=np.float32)[labels])
    return write_dataset(tmp_path / "data.zip", images, labels)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(item) for item in arguments], catch_exceptions=False)


def refusal(*arguments: str | Path) -> str:
    with pytest.raises(CrowdganError) as error:
        run(*arguments)
    return str(error.value)


def test_a_model_is_compared_with_a_dataset(model: Path, data: Path, generator: BlobGenerator) -> None:
    report = evaluate_metrics(model, data, features="grid-colours", num_images=9, batch_size=4)
    assert report.to_json()["results"][0]["values"]["kid_grid-colours"].keys() == {"value", "standard_error"}
    result = {item.name: item for item in report.results}
    names = ["kid_grid-colours", "fd_grid-colours", "pr_grid-colours"]
    assert [name for name in result if name in names] == names
    assert {(item.num_real, item.num_generated) for item in report.results if item.name in names} == {(12, 9)}
    assert report.values.keys() >= {*names[:2], "pr_grid-colours_precision", "pr_grid-colours_recall"}
    assert result["fd_grid-colours"].notes == (
        "biased with 9 images: it needs 2048; compare models by kid_grid-colours",
    )
    assert result["kid_grid-colours"].notes == ()
    again = evaluate_metrics(generator, data, metrics=names, num_images=9, batch_size=2)
    assert again.values == pytest.approx({key: report.values[key] for key in again.values})
    other_seed = evaluate_metrics(generator, data, metrics=names[1:2], num_images=9, seed=1)
    assert other_seed.values["fd_grid-colours"] != report.values["fd_grid-colours"]


def test_values_are_those_of_the_functions_on_features(tmp_path: Path) -> None:
    real, other = random_images(30, SIZE, seed=1), random_images(20, SIZE, seed=2) // 2
    first, second = write_dataset(tmp_path / "a.zip", real), write_dataset(tmp_path / "b.zip", other)
    report = evaluate_metrics(data=first, against=second, features="grid-colours", seed=5)
    features = [GridColours.load().features(images) for images in (real, other)]
    precision, recall = precision_recall(*features)
    distance = kernel_distance(*features, seed=5)
    assert report.values == pytest.approx(
        {
            "kid_grid-colours": distance.mean,
            "fd_grid-colours": frechet_distance(*features),
            "pr_grid-colours_precision": precision,
            "pr_grid-colours_recall": recall,
        }
    )
    assert report.results[0].values["kid_grid-colours"].standard_error == pytest.approx(distance.standard_error)
    mirrored = evaluate_metrics(data=first, against=second, metrics=["fd_grid-colours"], mirror=True)
    both = GridColours.load().features(np.concatenate([real, real[:, :, ::-1]]))
    assert mirrored.values["fd_grid-colours"] == pytest.approx(frechet_distance(both, features[1]))
    assert mirrored.results[0].num_real == 60


def test_identical_sets_have_distance_zero(tmp_path: Path, data: Path) -> None:
    report = evaluate_metrics(data=data, against=data, features="grid-colours")
    assert report.values["fd_grid-colours"] == pytest.approx(0, abs=1e-6)
    assert (report.values["pr_grid-colours_precision"], report.values["pr_grid-colours_recall"]) == (1, 1)


def test_the_command_prints_a_table_and_writes_the_report(model: Path, data: Path, tmp_path: Path) -> None:
    dest = tmp_path / "report.json"
    names = "kid_grid-colours,pr_grid-colours"
    arguments = ("--network", model, "--data", data, "--metrics", names, "--num-images", "8", "--json", dest)
    result = run(*arguments)
    assert result.stderr == (
        f"8 generated images (--num-images), seed 0: kid_grid-colours, pr_grid-colours\nwrote {dest}\n"
    )
    header, _, *rows = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert header == ["metric", "value", "standard", "error", "real", "images", "generated", "images"]
    assert [row[0] for row in rows] == ["kid_grid-colours", "pr_grid-colours_precision", "pr_grid-colours_recall"]
    assert [row[-2:] for row in rows] == [["12", "8"]] * 3
    written = json.loads(dest.read_text())
    assert list(written) == ["format", "data", "generated", "is_comparison", "seed", "results", "skipped", "notes"]
    assert (written["data"], written["generated"], written["format"]) == (str(data), str(model), 1)
    values = written["results"][0]["values"]["kid_grid-colours"]
    assert rows[0][1:3] == [f"{values['value']:.6g}", f"{values['standard_error']:.2g}"]
    assert refusal(*arguments) == f"{dest}: already exists; choose another destination or add --overwrite"
    folder = (*arguments[:-1], tmp_path, "--overwrite")
    assert refusal(*folder) == f"{tmp_path}: is a folder; choose a file name"
    printed = run(*arguments[:-2], "--json", "-")
    printed_report = json.loads(printed.stdout)
    assert printed_report["results"][0]["values"]["kid_grid-colours"] == pytest.approx(values)


def test_the_list_states_what_each_metric_requires(data: Path) -> None:
    available, _, others = run("--list", "--data", data, "--against", data).stdout.partition("\n\n")
    assert available.startswith("Available:\n")
    assert "  fd_grid-colours   Fréchet distance of grid-colours features; lower is better" in available
    assert "fd_grid-colours" not in others
    available, _, others = run("--list").stdout.partition("\n\n")
    assert "fd_grid-colours" not in available
    assert "Not available: needs images: give --data" in others


def test_all_refusals_are_one_error_before_anything_is_computed(data: Path, tmp_path: Path) -> None:
    CountedColours.num_images = 0
    few = write_dataset(tmp_path / "few.zip", random_images(3, SIZE))
    inputs = EvaluationInputs(num_images=10, extractors={item.name: item for item in (CountedColours, WeightedColours)})
    metrics = {item.name: item for item in extractor_metrics(["grid-colours", "weighted-colours"])}
    with pytest.raises(ConfigError, match="kid_grid-colours, fd_grid-colours, pr_grid-colours: needs images: give --d"):
        evaluation.default_metrics(inputs, metrics, "grid-colours")
    message = refusal("--data", few, "--against", data, "--metrics", "kid_grid-colours,pr_grid-colours,fid50k_full")
    assert f"pr_grid-colours: {few}: 3 images; it needs at least 4; fid50k_full: " in message
    assert "kid_grid-colours" not in message
    assert CountedColours.num_images == 0


def test_default_metrics_that_cannot_be_computed_are_skipped_with_a_reason(data: Path, tmp_path: Path) -> None:
    few = write_dataset(tmp_path / "few.zip", random_images(3, SIZE))
    result = run("--data", few, "--against", data, "--features", "grid-colours")
    assert result.stderr.splitlines()[0] == f"skipped: pr_grid-colours: {few}: 3 images; it needs at least 4"
    assert "kid_grid-colours" in result.stdout
    single = write_dataset(tmp_path / "single.zip", random_images(1, SIZE))
    message = refusal("--data", single, "--against", data, "--features", "grid-colours")
    assert f"kid_grid-colours, fd_grid-colours: {single}: 1 images; it needs at least 2; pr_grid-colours" in message


def test_official_metrics_have_the_official_number_of_images() -> None:
    metrics: dict[str, Any] = {item.name: item for item in official_metrics()}
    assert list(metrics) == ["fid50k_full", "kid50k_full", "pr50k3_full", "is50k"]
    assert {item.num_images for item in metrics.values()} == {50_000}
    assert {evaluation.images_of(item, None) for item in metrics.values()} == {50_000}
    assert evaluation.images_of(metrics["fid50k_full"], 100) == 100
    assert {item.extractor for item in metrics.values()} == {"inception", "vgg16"}
    (kid, *_) = extractor_metrics(["lite0"])
    assert evaluation.images_of(kid, None) == 1000


class OfficialColours(CountedColours):
    """An extractor with class probabilities, in place of the official one."""

    name = "inception"

    def probabilities(self, images: Any) -> Any:
        features = self.features(images)[:, :5]
        return features / features.sum(axis=1, keepdims=True)


def make_inputs(data: Path, tmp_path: Path, generator: BlobGenerator, extractor: Any) -> EvaluationInputs:
    reader = open_dataset(data)
    return EvaluationInputs(
        real=DatasetImages(reader),
        dataset=reader,
        generator=generator,
        num_images=1,
        batch_size=8,
        extractors={extractor.name: extractor},
    )


def test_official_metrics_with_another_number_of_images_are_marked(
    data: Path, tmp_path: Path, generator: BlobGenerator
) -> None:
    inputs = make_inputs(data, tmp_path, generator, OfficialColours)
    metrics = {item.name: item for item in official_metrics()}
    selection = evaluation.select_metrics(["fid50k_full", "kid50k_full", "is50k"], metrics)
    report = evaluation.compute_metrics(inputs, selection, num_images=20)
    note = "not the official definition: 20 generated images instead of 50000"
    assert all(note in result.notes for result in report.results)
    assert report.values.keys() == {"fid50k_full", "kid50k_full", "is50k_mean", "is50k_std"}
    assert report.values["is50k_mean"] >= 1
    assert report.results[2].num_real is None, "the inception score does not use real images"

    inputs.real = DatasetImages(open_dataset(data), mirror=True)
    mirrored = evaluation.compute_metrics(inputs, selection, num_images=20)
    note = "not the official definition: it has no mirrored copies of real images; remove --mirror"
    assert [note in result.notes for result in mirrored.results] == [True, True, False]


def test_an_extractor_without_probabilities_has_no_inception_score(
    data: Path, tmp_path: Path, generator: BlobGenerator
) -> None:
    class WithoutProbabilities(CountedColours):
        name = "inception"

    inputs = make_inputs(data, tmp_path, generator, WithoutProbabilities)
    with pytest.raises(ConfigError, match="the feature extractor inception computes no class probabilities"):
        evaluation.compute_metrics(inputs, evaluation.MetricSelection(metrics=(InceptionScoreMetric(),)), num_images=10)


def test_weights_are_named_by_extractor_or_file_name() -> None:
    extractors: dict[str, Any] = {item.name: item for item in (GridColours, WeightedColours)}
    assert match_weights(["weighted-colours=a=b.pt"], "lite0", extractors) == {"weighted-colours": Path("a=b.pt")}
    path = "folder/colours.pt"
    assert match_weights([path], "lite0", extractors) == {"weighted-colours": Path(path)}
    assert match_weights(["a=b.pt"], "weighted-colours", extractors) == {"weighted-colours": Path("a=b.pt")}
    for text in ("other.pt", "grid-colours=colours.pt", "weighted-colours="):
        message = (
            f"--weights {text}: write NAME=FILE, NAME an extractor that needs weights (weighted-colours: colours.pt)"
        )
        with pytest.raises(ConfigError) as error:
            match_weights([text], "lite0", extractors)
        assert str(error.value) == message


def test_damaged_weights_are_an_error_before_anything_is_computed(
    data: Path, tmp_path: Path, generator: BlobGenerator
) -> None:
    class CheckedColours(WeightedColours):
        @classmethod
        def load(cls, weights: Path | None = None, device: str = "auto") -> CheckedColours:
            assert weights is not None
            if weights.read_bytes() != WEIGHTS:
                raise CheckpointError(f"{weights}: the SHA-256 is not that of {cls.weights_file.name}")
            return cls()

    inputs = make_inputs(data, tmp_path, generator, CheckedColours)
    inputs.weights = {"weighted-colours": tmp_path / "colours.pt"}
    inputs.weights["weighted-colours"].write_bytes(WEIGHTS[:-1])
    CountedColours.num_images = 0
    metrics = {item.name: item for item in extractor_metrics(["weighted-colours"])}
    selection = evaluation.select_metrics(["kid_weighted-colours"], metrics)
    with pytest.raises(CheckpointError, match=r"colours\.pt: the SHA-256 is not that of colours\.pt"):
        evaluation.compute_metrics(inputs, selection, num_images=4)
    assert CountedColours.num_images == 0
    inputs.weights["weighted-colours"].write_bytes(WEIGHTS)
    assert evaluation.compute_metrics(inputs, selection, num_images=4).values.keys() == {"kid_weighted-colours"}


def test_a_metric_that_fails_does_not_lose_the_values_of_the_others(
    data: Path, tmp_path: Path, generator: BlobGenerator
) -> None:
    class Failing:
        name = "failing"
        description = "fails"
        higher_is_better = False

        def unavailable_reason(self, inputs: object) -> None:
            return None

        def compute(self, inputs: object, progress: object) -> dict[str, Any]:
            raise DatasetError("crowds.zip: img00000003.png is damaged")

    inputs = make_inputs(data, tmp_path, generator, GridColours)
    colours = next(item for item in extractor_metrics(["grid-colours"]) if item.name == "kid_grid-colours")
    selection = evaluation.MetricSelection(metrics=(Failing(), colours))
    with pytest.raises(DatasetError, match="img00000003"):
        evaluation.compute_metrics(inputs, selection, num_images=20)
    report = evaluation.compute_metrics(inputs, selection, num_images=20, on_error="skip")
    assert report.values.keys() == {"kid_grid-colours"}
    assert report.to_json()["failed"] == {"failing": "crowds.zip: img00000003.png is damaged"}
    assert (
        "failed"
        not in evaluation.compute_metrics(
            inputs, evaluation.MetricSelection(metrics=(colours,)), num_images=20
        ).to_json()
    )


def test_images_of_another_size_than_those_of_the_model_are_compared_with_a_note(model: Path, tmp_path: Path) -> None:
    large = write_dataset(tmp_path / "large.zip", random_images(6, (32, 32)), [0, 1, 2] * 2)
    arguments = ("--network", model, "--data", large, "--metrics", "kid_grid-colours", "--num-images", "4")
    assert "note: real images are 32x32 px, the others 16x16 px: each is resized" in run(*arguments).stdout
    small = write_dataset(tmp_path / "small.zip", random_images(6, (8, 8)))
    report = evaluate_metrics(data=large, against=small, metrics=["kid_grid-colours"])
    assert report.notes[0].startswith("real images are 32x32 px, the others 8x8 px")


def test_a_model_with_other_classes_than_the_dataset_is_an_error(model: Path, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "other.zip", random_images(6, SIZE), [0, 1] * 3, classes=["few", "many"])
    message = "the classes few, many, but the model has the classes sparse, medium, dense"
    assert message in refusal("--network", model, "--data", other, "--metrics", "kid_grid-colours")
    unlabelled = write_dataset(tmp_path / "unlabelled.zip", random_images(6, SIZE))
    assert "no labels, but the model has" in refusal("--network", model, "--data", unlabelled)


def test_a_generator_with_other_classes_than_the_dataset_is_an_error(
    generator: BlobGenerator, data: Path, tmp_path: Path
) -> None:
    other = write_dataset(tmp_path / "other.zip", random_images(6, SIZE), [0, 1] * 3, classes=["few", "many"])
    with pytest.raises(ConfigError, match="the classes few, many, but the model has the classes sparse, medium, dense"):
        evaluate_metrics(generator, other, metrics=["kid_grid-colours"])
    with pytest.raises(ConfigError, match="a generator and a second set of images are both given"):
        evaluate_metrics(generator, data, against=data, metrics=["kid_grid-colours"])


def test_an_empty_class_of_the_dataset_is_never_generated(model: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "two.zip", random_images(6, SIZE), [0, 2] * 3)
    report = evaluate_metrics(model, data, metrics=["kid_grid-colours"], num_images=6)
    assert report.results[0].num_generated == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "a", "--against", "b", "--data", "c"], "--network and --against are both given"),
        (["--against", "b"], "--against compares two sets of images; give the first one by --data"),
        (["--data", "missing.zip"], "missing.zip: no such file or folder"),
        (["--network", "missing.safetensors"], "missing.safetensors: no such file"),
    ],
)
def test_invalid_arguments_are_explained(arguments: list[str], message: str) -> None:
    assert message in refusal(*arguments)


def test_without_images_the_usage_is_explained() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Missing option '--network' or '--data'" in result.stderr


def test_unknown_metrics_are_listed(data: Path) -> None:
    message = refusal("--data", data, "--against", data, "--metrics", "fid,kid_grid-colours,kid")
    assert message.startswith("no such metric fid, kid; choose from kid_")
    assert refusal("--data", data, "--against", data, "--metrics", ",").startswith("no metrics are named; choose from")
    assert refusal("--data", data, "--against", data, "--features", "dino").startswith(
        "the default metrics need a feature extractor: no feature extractor dino is installed; choose from"
    )


def test_a_folder_of_images_is_compared(data: Path, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "folder"
    folder.mkdir()
    for index, pixels in enumerate(random_images(5, SIZE)):
        Image.fromarray(pixels).convert("L").save(folder / f"{index}.png")
    result = run("--data", data, "--against", folder, "--metrics", "kid_grid-colours")
    assert "compared images" in result.stdout
    Image.new("RGB", (8, 8)).save(folder / "9.png")
    with pytest.raises(CrowdganError, match=r"9\.png: the image is 8x8 px and .*0\.png is 16x16 px"):
        run("--data", data, "--against", folder, "--metrics", "kid_grid-colours")


class InvalidMetric:
    """A metric with any result."""

    name, description, higher_is_better = "invalid", "an invalid result", True

    def __init__(self, result: Any) -> None:
        self._result = result

    def unavailable_reason(self, inputs: Any) -> None:
        return None

    def compute(self, inputs: Any, progress: Any) -> Mapping[str, MetricValue]:
        result: Mapping[str, MetricValue] = self._result() if callable(self._result) else self._result
        return result


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (3.0, "metric invalid: result: it must be a mapping of keys to MetricValue"),
        ({}, "metric invalid: result: it must be a mapping of keys to MetricValue"),
        ({"invalid": 3.0}, "metric invalid: result: it must be a mapping of keys to MetricValue"),
        ({"invalid": MetricValue(float("nan"))}, "metric invalid: invalid: it is nan; it must be a finite number"),
        (lambda: 1 / 0, "metric invalid failed: computing it: ZeroDivisionError: division by zero"),
    ],
)
def test_invalid_results_are_errors_that_name_the_metric(result: Any, message: str) -> None:
    metric: Metric = InvalidMetric(result)
    with pytest.raises(PluginError) as error:
        evaluation.compute_metrics(EvaluationInputs(num_images=1), evaluation.MetricSelection(metrics=(metric,)))
    assert str(error.value) == message


def test_all_metrics_of_installed_plugins_are_registered() -> None:
    metrics = installed_plugins().metrics
    extractors = installed_plugins().feature_extractors
    assert {f"{kind}_{name}" for kind in ("kid", "fd", "pr") for name in extractors} <= metrics.keys()
    assert "grid-colours" in extractors
    assert {"fid50k_full", "kid50k_full", "pr50k3_full", "is50k"} <= metrics.keys()
