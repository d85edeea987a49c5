"""The metric `density_fidelity`, distances within classes, and features that are computed once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.api import open_dataset
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.metric import ranking_key
from crowdgan_density.fidelity.image_sets import RememberedFeatures
from crowdgan_density.fidelity.intra_class import intra_class_distances
from crowdgan_density.fidelity.metric import DensityFidelityMetric, metric_values
from tests.support.fidelity import Brightness, SquaresGenerator, write_images, write_squares
from tests.support.fidelity_reports import example_report


def test_values_are_those_of_the_predictor_with_the_lower_score_each_with_its_floor() -> None:
    values = metric_values(example_report())
    assert {name.removeprefix("density_fidelity_"): value.value for name, value in values.items()} == pytest.approx(
        {
            "void": 0.0,
            "accuracy": 0.7,
            "accuracy_floor": 0.9,
            "accuracy_excess": -0.2,
            "mae": 0.3,
            "mae_floor": 0.1,
            "spearman": 0.7,
            "spearman_floor": 0.9,
            "ordering": 0.85,
            "ordering_floor": 0.95,
            "agreement": 0.8,
        }
    )


def test_void_scores_have_no_other_value() -> None:
    report = example_report(void=True)
    values = metric_values(replace(report, predictors=report.predictors[:1]))
    assert {name: value.value for name, value in values.items()} == {"density_fidelity_void": 1.0}


def test_models_are_ranked_by_the_accuracy_relative_to_the_floor_if_it_is_not_void() -> None:
    assert metric_values(example_report())[ranking_key(DensityFidelityMetric())].value == pytest.approx(-0.2)
    assert DensityFidelityMetric.higher_is_better


def test_it_needs_a_model_and_a_labelled_dataset(tmp_path: Path) -> None:
    metric = DensityFidelityMetric()
    generator = SquaresGenerator()
    assert metric.unavailable_reason(EvaluationInputs(generator=generator, num_images=6)) == (
        "needs a labelled dataset: give --data DATASET"
    )
    with open_dataset(write_squares(tmp_path / "a.zip", 30, label_kind=None)) as reader:
        reason = metric.unavailable_reason(EvaluationInputs(dataset=reader, generator=generator, num_images=6))
        assert reason is not None
        assert "no labels; add them with `crowdgan label`" in reason or "needs a density predictor" in reason
        reason = metric.unavailable_reason(EvaluationInputs(dataset=reader, num_images=6))
        assert reason == "needs a model; to compare two labelled datasets: crowdgan metrics density --against"


def test_a_model_of_another_size_than_the_dataset_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    images = [np.full((16, 16, 3), index, np.uint8) for index in range(30)]
    with open_dataset(write_images(tmp_path / "a.zip", images, [float(index) for index in range(30)])) as reader:
        inputs = EvaluationInputs(dataset=reader, generator=SquaresGenerator(label_kind="value"), num_images=8)
        reason = DensityFidelityMetric().unavailable_reason(inputs)
    assert reason is not None
    assert (
        reason.startswith("generated images: images of 32x32 px; those of the dataset a.zip are 16x16 px")
        or "needs a density predictor" in reason
    )


def test_distances_within_classes_grow_with_a_shift_and_small_classes_state_a_reason() -> None:
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(2, 90, 4)).astype(np.float32)
    classes = np.repeat([0, 1, 2], [40, 40, 10])
    generated[classes == 1] += 2
    same, shifted, small = intra_class_distances(real, classes, generated, classes, ("a", "b", "c"))
    assert same.distance is not None
    assert shifted.distance is not None
    assert abs(same.distance.value) < 0.5 < 10 < shifted.distance.value
    assert (small.distance, small.reason) == (None, "10 real and 10 generated images; at least 20 of each are needed")


def test_features_of_an_image_are_computed_once() -> None:
    class Counted(Brightness):
        num_images = 0

        def features(self, images: np.ndarray) -> np.ndarray:
            self.num_images += len(images)
            return super().features(images)

    extractor = Counted()
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    remembered = RememberedFeatures(extractor)
    expected = Brightness().features(images)
    assert np.array_equal(remembered.features(images[:3]), expected[:3])
    assert np.array_equal(remembered.features(images[::-1]), expected[::-1])
    assert extractor.num_images == 5
