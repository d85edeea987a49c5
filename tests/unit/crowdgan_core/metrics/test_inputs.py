"""The inputs of metrics: extractors, features, and their cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model

from crowdgan_core.api import open_dataset
from crowdgan_core.errors import ConfigError, PluginError
from crowdgan_core.metrics.feature_cache import FeatureCache
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.utils.progress import NullProgress
from tests.support.feature_extractors import WEIGHTS, CountedColours, WeightedColours, random_images, write_dataset

EXTRACTORS: dict[str, Any] = {item.name: item for item in (CountedColours, WeightedColours)}


@pytest.fixture
def images(tmp_path: Path) -> DatasetImages:
    return DatasetImages(open_dataset(write_dataset(tmp_path / "a.zip", random_images(10), [0, 1] * 5)))


def make_inputs(tmp_path: Path, **changes: Any) -> EvaluationInputs:
    settings = {"num_images": 6, "batch_size": 4, "extractors": EXTRACTORS, "cache": FeatureCache(tmp_path / "cache")}
    return EvaluationInputs(**{**settings, **changes})


def test_features_are_computed_once_and_cached_on_disk(tmp_path: Path, images: DatasetImages) -> None:
    inputs, before = make_inputs(tmp_path, real=images), CountedColours.num_images
    features = inputs.features(images, "grid-colours", NullProgress())
    assert features.shape == (10, 96)
    assert inputs.with_num_images(3).features(images, "grid-colours", NullProgress()) is features
    assert CountedColours.num_images == before + 10
    other = make_inputs(tmp_path, real=images)
    assert np.array_equal(other.features(images, "grid-colours", NullProgress()), features)
    assert CountedColours.num_images == before + 10, "read from disk"
    (file,) = (tmp_path / "cache").iterdir()
    assert file.name.startswith("grid-colours-")
    assert np.array_equal(np.load(file, allow_pickle=False), features)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:-1],
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: b"\x80\x04." + data,
    ],
    ids=["empty", "header only", "truncated", "one bit", "pickle"],
)
def test_a_damaged_cache_file_is_ignored_and_written_again(
    tmp_path: Path, images: DatasetImages, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    features = make_inputs(tmp_path).features(images, "grid-colours", NullProgress())
    (file,) = (tmp_path / "cache").iterdir()
    data = file.read_bytes()
    file.write_bytes(damage(data))
    assert np.array_equal(make_inputs(tmp_path).features(images, "grid-colours", NullProgress()), features)
    assert f"{file}: the cached features are damaged and computed again" in caplog.text
    assert file.read_bytes() == data


def test_a_cache_folder_that_cannot_be_written_is_a_warning(
    tmp_path: Path, images: DatasetImages, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    assert len(make_inputs(tmp_path).features(images, "grid-colours", NullProgress())) == 10
    assert "features are not cached" in caplog.text


def test_generated_images_have_the_requested_number_and_labels_of_the_dataset(
    tmp_path: Path, images: DatasetImages
) -> None:
    dataset = open_dataset(tmp_path / "a.zip")
    generator = BlobGenerator(example_model("class", (16, 16)))
    inputs = make_inputs(tmp_path, real=images, dataset=dataset, generator=generator)
    assert inputs.generated is not None
    assert (len(inputs.generated), inputs.generated) == (6, inputs.generated)
    fewer = inputs.with_num_images(2)
    assert fewer.generated is not None
    assert len(fewer.generated) == 2
    before = CountedColours.num_images
    features = inputs.features(inputs.generated, "grid-colours", NullProgress())
    assert np.array_equal(fewer.features(fewer.generated, "grid-colours", NullProgress()), features[:2])
    assert CountedColours.num_images == before + 8
    assert not (tmp_path / "cache").exists(), "features of generated images are not cached on disk"


def test_another_generator_shares_the_features_of_real_images(tmp_path: Path, images: DatasetImages) -> None:
    first, second = (BlobGenerator(example_model(None, (16, 16), seed=seed)) for seed in (0, 1))
    inputs = make_inputs(tmp_path, real=images, generator=first)
    assert inputs.generated is not None
    real = inputs.features(images, "grid-colours", NullProgress())
    generated = inputs.features(inputs.generated, "grid-colours", NullProgress())
    other = inputs.with_generator(second)
    assert other.generated is not None
    assert other.features(images, "grid-colours", NullProgress()) is real
    assert not np.array_equal(other.features(other.generated, "grid-colours", NullProgress()), generated)
    assert inputs.features(inputs.generated, "grid-colours", NullProgress()) is generated


def test_results_of_real_images_are_computed_once_for_all_generators(tmp_path: Path) -> None:
    first, second = (BlobGenerator(example_model(None, (16, 16), seed=seed)) for seed in (0, 1))
    inputs = make_inputs(tmp_path, generator=first)
    results = [each.real_result("fit", object) for each in (inputs, inputs.with_generator(second), inputs)]
    assert results[0] is results[1] is results[2]
    assert inputs.real_result("other", object) is not results[0]


def test_unavailable_extractors_are_explained(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path)
    assert inputs.unavailable_extractor("grid-colours") is None
    assert inputs.unavailable_extractor("vgg") == (
        "no feature extractor vgg is installed; choose from grid-colours, weighted-colours"
    )
    sha256 = WeightedColours.weights_file.sha256[0]
    reason = (
        "weighted-colours needs the file colours.pt, passed by --weights weighted-colours=FILE "
        f"(SHA-256 {sha256}; source: https://example.org/colours.pt)"
    )
    assert inputs.unavailable_extractor("weighted-colours") == reason
    with pytest.raises(ConfigError) as error:
        inputs.extractor("weighted-colours")
    assert str(error.value) == reason
    missing = make_inputs(tmp_path, weights={"weighted-colours": tmp_path / "colours.pt"})
    assert missing.unavailable_extractor("weighted-colours") == f"{tmp_path / 'colours.pt'}: no such file of weights"
    (tmp_path / "colours.pt").write_bytes(WEIGHTS)
    assert missing.unavailable_extractor("weighted-colours") is None


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda valid: valid.astype(float), "returned float64 [4, 96]; it must return float32 [4, num_features]"),
        (lambda valid: valid[1:], "images 0 to 3: features returned float32 [3, 96]; it must"),
        (lambda valid: valid[:, None], "returned float32 [4, 1, 96]; it must"),
        (lambda valid: valid[:, :0], "returned float32 [4, 0]; it must"),
        (lambda valid: valid.tolist(), "returned list; it must"),
        (lambda valid: valid[:, : len(valid)], "the number of features is 2; it was 4 for other images of the same"),
        (lambda valid: np.where(np.arange(len(valid))[:, None] == 2, np.nan, valid), "image 2: the features are not"),
        (lambda valid: 1 / 0, "failed: {path}, images 0 to 3: ZeroDivisionError: division by zero"),
    ],
)
def test_features_that_violate_the_contract_are_an_error_that_names_the_extractor(
    tmp_path: Path, images: DatasetImages, result: Callable[[Any], Any], message: str
) -> None:
    class Invalid(CountedColours):
        def features(self, images: Any) -> Any:
            return result(super().features(images))

    inputs = make_inputs(tmp_path, extractors={"grid-colours": Invalid})
    with pytest.raises(PluginError) as error:
        inputs.features(images, "grid-colours", NullProgress())
    assert message.format(path=tmp_path / "a.zip") in str(error.value)
    assert str(error.value).startswith("feature extractor grid-colours")


def test_numbers_below_1_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="num_images is 0; it must be at least 1"):
        make_inputs(tmp_path, num_images=0)
