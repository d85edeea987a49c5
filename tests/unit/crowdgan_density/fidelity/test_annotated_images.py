"""Annotated images of unusual datasets, and invalid results of extractors and predictors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.api import open_dataset
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.record_densities import annotated_indices
from crowdgan_core.errors import DatasetError, PluginError
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_density.fidelity.annotated_images import remove_copies, split_dataset
from crowdgan_density.fidelity.evaluation import evaluate_fidelity
from crowdgan_density.fidelity.image_sets import ConditionedImages, LabelledImages
from crowdgan_density.fidelity.ridge_predictor import RidgePredictor
from tests.support.fidelity import Brightness, SquaresGenerator, squares_image, write_images, write_squares


def images(count: int) -> list[ImageArray]:
    """Images with 1 to 15 squares."""
    return [squares_image(1 + index % 15, index) for index in range(count)]


def evaluate(dataset: Path, predictor: type[RidgePredictor] = RidgePredictor, extractor: Any = Brightness) -> None:
    """Measures a dataset against itself."""
    with open_dataset(dataset) as reader:
        annotated = split_dataset(reader)
        labelled = LabelledImages(reader, annotated.scale)
        evaluate_fidelity(annotated, labelled, {"ridge": predictor}, load_extractor=lambda _: extractor())


def test_training_images_that_are_copies_or_mirror_images_of_held_out_ones_are_not_used(tmp_path: Path) -> None:
    originals = images(40)
    copies = [image[:, ::-1] if index % 2 else image for index, image in enumerate(originals)]
    densities = [float(1 + index % 15) for index in range(40)] * 2
    with open_dataset(write_images(tmp_path / "copies.zip", [*originals, *copies], densities)) as reader:
        annotated = split_dataset(reader)
        kept = remove_copies(annotated)
    held_out = {index % 40 for index in annotated.held_out.indices}
    expected = [index for index in annotated.training.indices if index % 40 not in held_out]
    assert list(kept.training.indices) == expected
    assert kept.training_densities.tolist() == [densities[index] for index in expected]
    assert len(kept.training_classes) == len(expected)
    num_copies = len(annotated.training.indices) - len(expected)
    assert num_copies > 0
    assert kept.notes == (f"{num_copies} training images are copies of held-out images and were not used",)


def test_a_dataset_of_copies_is_an_error(tmp_path: Path) -> None:
    path = write_images(tmp_path / "same.zip", [images(1)[0]] * 40, [float(index) for index in range(40)])
    with pytest.raises(DatasetError, match=r"same\.zip: nearly all images are copies of each other"):
        evaluate(path)


@pytest.mark.parametrize("num_other", [1, 2])
def test_nearly_equal_densities_are_an_error(tmp_path: Path, num_other: int) -> None:
    path = write_images(tmp_path / "equal.zip", images(40), [0.0] * (40 - num_other) + [5.0] * num_other)
    with open_dataset(path) as reader:
        for seed in range(12):  # the other density is in the training part or in the held-out part
            with pytest.raises(DatasetError, match="nearly all densities are equal or of a single class"):
                split_dataset(reader, seed=seed)


def test_images_of_several_sizes_are_an_error_that_names_the_image(tmp_path: Path) -> None:
    large = np.zeros((48, 48, 3), np.uint8)
    path = write_images(tmp_path / "sizes.zip", [*images(39), large], [1.0, 2.0, 5.0, 9.0] * 10)
    with pytest.raises(DatasetError, match=r"sizes\.zip:.*: the image is 48x48 px and .* is 32x32 px"):
        evaluate(path)


def test_class_numbers_are_not_mixed_with_densities() -> None:
    records = [ImageRecord(name=str(index), label=index % 2, density=float(index)) for index in range(4)]
    metadata = DatasetMetadata(classes=("few", "many"), label_kind="class").with_images(records)
    assert annotated_indices(metadata).tolist() == [0, 1, 2, 3]
    partly_known = [replace(record, density=None) if record.name == "1" else record for record in records]
    assert annotated_indices(metadata.with_images(partly_known)).tolist() == [0, 2, 3]
    unknown = [replace(record, density=None) for record in records]
    assert annotated_indices(metadata.with_images(unknown)).tolist() == [0, 1, 2, 3]


def test_features_that_are_not_finite_are_an_error_that_names_the_extractor(tmp_path: Path) -> None:
    class Broken(Brightness):
        def features(self, images: Any) -> Any:
            return np.full((len(images), 3), np.nan, np.float32)

    with pytest.raises(PluginError, match="feature extractor lite0.*: the features are not finite numbers"):
        evaluate(write_squares(tmp_path / "squares.zip", 40), extractor=Broken)


def test_predictions_that_are_not_finite_are_an_error_that_names_the_predictor(tmp_path: Path) -> None:
    class Broken(RidgePredictor):
        def predict(self, images: Any) -> Any:
            return np.full(len(images), np.nan)

    with pytest.raises(PluginError, match="density predictor ridge.*: it must return one finite number per image"):
        evaluate(write_squares(tmp_path / "squares.zip", 40), Broken)


def test_the_requested_number_of_images_is_generated(tmp_path: Path) -> None:
    with open_dataset(write_squares(tmp_path / "squares.zip", 40)) as reader:
        scale = split_dataset(reader).scale
    requests = ConditionedImages(SquaresGenerator(), "", scale, num_images=11, seed=0).requests
    pairs = sorted(zip(requests.latents.tolist(), requests.classes.tolist(), strict=True))
    assert pairs == [(number // 3, number % 3) for number in range(11)]


def test_another_seed_gives_other_latents(tmp_path: Path) -> None:
    with open_dataset(write_squares(tmp_path / "squares.zip", 40)) as reader:
        scale = split_dataset(reader).scale
    first, second, more = (
        set(ConditionedImages(SquaresGenerator(), "", scale, num_images=count, seed=seed).requests.names)
        for seed, count in ((0, 90), (1, 90), (0, 180))
    )
    assert (len(first), len(more)) == (30, 60)
    assert first < more
    assert not first & second
