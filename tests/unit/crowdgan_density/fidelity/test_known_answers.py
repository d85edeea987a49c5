"""Density fidelity of generators whose fidelity is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.api import open_dataset
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.metrics.fidelity_report import FidelityReport
from crowdgan_density.fidelity.annotated_images import split_dataset
from crowdgan_density.fidelity.contact_sheet import best_worst_sheet
from crowdgan_density.fidelity.evaluation import evaluate_fidelity, fit_predictors
from crowdgan_density.fidelity.image_sets import ConditionedImages, LabelledImages
from crowdgan_density.fidelity.ridge_predictor import RidgePredictor
from tests.support.fidelity import BlindGenerator, Brightness, SquaresGenerator, write_squares

NUM_IMAGES = 360
"""Generated images; the standard error of an accuracy of 70 % is then 2.4 %."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares") / "squares.zip", 150)


def evaluate(dataset: Path, generator: Any, num_images: int = NUM_IMAGES, **options: Any) -> FidelityReport:
    """The report of a generator with the ridge predictor."""
    with open_dataset(dataset) as reader:
        annotated = split_dataset(reader)
        images = ConditionedImages(generator, "squares", annotated.scale, num_images=num_images, seed=0)
        return evaluate_fidelity(
            annotated, images, {"ridge": RidgePredictor}, load_extractor=lambda _: Brightness(), **options
        )


def test_a_generator_that_returns_images_of_the_requested_class_scores_the_floor(dataset: Path) -> None:
    (ridge,) = evaluate(dataset, SquaresGenerator()).predictors
    assert ridge.void_reasons == ()
    assert ridge.held_out.accuracy.value > 0.95
    assert abs(ridge.excess_accuracy.value) < 0.04
    assert ridge.generated.mae.value == pytest.approx(ridge.held_out.mae.value, abs=0.04)
    assert ridge.generated.ordering is not None
    assert ridge.generated.ordering.value > 0.99
    assert ridge.generated.slope == pytest.approx(1, abs=0.05)


def test_a_generator_that_ignores_the_label_scores_chance(dataset: Path) -> None:
    (ridge,) = evaluate(dataset, BlindGenerator()).predictors
    assert ridge.generated.accuracy.value == pytest.approx(1 / 3, abs=0.001)  # each latent has every label
    assert ridge.generated.ordering is not None
    assert ridge.generated.ordering.value == pytest.approx(0.5)
    assert ridge.generated.spearman is not None
    assert abs(ridge.generated.spearman.value) < 1e-9
    assert ridge.void_reasons == ()


def test_a_generator_that_is_right_in_70_percent_of_cases_is_measured_as_70_percent(dataset: Path) -> None:
    (ridge,) = evaluate(dataset, SquaresGenerator(0.7)).predictors
    assert ridge.generated.accuracy.value == pytest.approx(0.7 * ridge.held_out.accuracy.value, abs=0.05)
    assert ridge.generated.accuracy.standard_error == pytest.approx(0.024, abs=0.008)
    assert ridge.excess_accuracy.value < -0.2


def test_permuted_requests_fall_to_chance(dataset: Path) -> None:
    (ridge,) = evaluate(dataset, SquaresGenerator()).predictors
    assert ridge.control_accuracy == pytest.approx(1 / 3, abs=0.02)
    assert ridge.chance_accuracy == pytest.approx(1 / 3)
    assert 0.2 < ridge.held_out_control_spearman < 0.6


def test_scores_of_a_predictor_that_does_not_measure_density_are_void(dataset: Path) -> None:
    class Useless(Brightness):
        def features(self, images: Any) -> Any:
            return np.random.default_rng(0).normal(size=(len(images), 4)).astype(np.float32)

    with open_dataset(dataset) as reader:
        annotated = split_dataset(reader)
        images = ConditionedImages(SquaresGenerator(), "squares", annotated.scale, num_images=60, seed=0)
        report = evaluate_fidelity(annotated, images, {"ridge": RidgePredictor}, load_extractor=lambda _: Useless())
    (ridge,) = report.predictors
    assert ridge.is_void
    assert "the predictor does not measure density" in ridge.void_reasons[0]
    assert report.headline is None


def test_continuous_labels_are_scored_in_their_unit(tmp_path: Path) -> None:
    path = write_squares(tmp_path / "values.zip", 150, label_kind="value")
    (ridge,) = evaluate(path, SquaresGenerator(label_kind="value")).predictors
    assert ridge.generated.mae.value < 0.6  # squares
    assert ridge.generated.slope == pytest.approx(1, abs=0.05)
    assert ridge.generated.spearman is not None
    assert ridge.generated.spearman.value > 0.98
    assert len(ridge.generated.bias) == 4


def test_labelled_images_of_a_second_dataset_score_the_floor(dataset: Path, tmp_path: Path) -> None:
    other = write_squares(tmp_path / "other.zip", 90, seed=1)
    with open_dataset(dataset) as reader, open_dataset(other) as second:
        annotated = split_dataset(reader)
        report = evaluate_fidelity(
            annotated,
            LabelledImages(second, annotated.scale),
            {"ridge": RidgePredictor},
            load_extractor=lambda _: Brightness(),
        )
    (ridge,) = report.predictors
    assert abs(ridge.excess_accuracy.value) < 0.06
    assert report.truncation_psi is None
    assert report.measured[0].name.endswith(".png")


def test_classes_without_bounds_or_densities_get_thresholds_of_the_training_part(tmp_path: Path) -> None:
    unbounded = evaluate(write_squares(tmp_path / "a.zip", 150, has_bounds=False), SquaresGenerator(), 90)
    assert unbounded.class_bounds == (5.5, 11.5)
    unknown = evaluate(write_squares(tmp_path / "b.zip", 150, has_densities=False), SquaresGenerator(), 90)
    assert unknown.class_bounds == (1.5, 2.5)
    assert unknown.unit == "squares"
    for report in (unbounded, unknown):
        assert report.predictors[0].generated.accuracy.value > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_kind": None}, "no labels; add them with `crowdgan label`"),
        ({"classes": (0, 2)}, "fewer than 2 images of class medium; no class may be empty"),
        ({"num_images": 3}, "3 images with a density; at least 20 are needed"),
    ],
)
def test_datasets_without_sufficient_labels_are_an_error(tmp_path: Path, options: Any, message: str) -> None:
    path = write_squares(tmp_path / "bad.zip", **{"num_images": 60, **options})
    with open_dataset(path) as reader, pytest.raises(DatasetError, match=message) as raised:
        split_dataset(reader)
    assert str(path) in str(raised.value)


def test_fewer_images_than_labels_are_an_error(dataset: Path) -> None:
    with pytest.raises(ConfigError, match="2 images; at least 3 are needed, one per requested label"):
        evaluate(dataset, SquaresGenerator(), 2)


def test_no_predictor_is_an_error_with_the_reasons(dataset: Path) -> None:
    with open_dataset(dataset) as reader:
        annotated = split_dataset(reader)
        images = ConditionedImages(SquaresGenerator(), "squares", annotated.scale, num_images=6, seed=0)
        with pytest.raises(ConfigError, match="no density predictor is available: ridge: no features"):
            evaluate_fidelity(
                annotated, images, {}, load_extractor=lambda _: Brightness(), unavailable=("ridge: no features",)
            )


def test_results_are_repeatable(dataset: Path) -> None:
    assert evaluate(dataset, SquaresGenerator(0.7), 60) == evaluate(dataset, SquaresGenerator(0.7), 60)


def test_predictors_are_fitted_once_for_any_number_of_generators(dataset: Path) -> None:
    fits = []

    class CountedRidge(RidgePredictor):
        @classmethod
        def fit(cls, *args: Any, **settings: Any) -> RidgePredictor:
            fits.append(cls)
            return RidgePredictor.fit(*args, **settings)

    generators = [SquaresGenerator(0.7), BlindGenerator(), SquaresGenerator(0.7)]
    with open_dataset(dataset) as reader:
        annotated = split_dataset(reader)
        evaluation = fit_predictors(annotated, {"ridge": CountedRidge}, load_extractor=lambda _: Brightness())
        reports = [
            evaluation.report(ConditionedImages(generator, "squares", annotated.scale, num_images=60, seed=0))
            for generator in generators
        ]
    assert len(fits) == 1
    assert reports[0] == reports[2] == evaluate(dataset, generators[0], 60)
    assert reports[1] != reports[0]


def test_the_contact_sheet_has_a_row_per_class_with_images(dataset: Path, tmp_path: Path) -> None:
    other = write_squares(tmp_path / "other.zip", 3, classes=(0, 0, 2))
    with open_dataset(dataset) as reader, open_dataset(other) as second:
        annotated = split_dataset(reader)
        images = LabelledImages(second, annotated.scale)
        report = evaluate_fidelity(annotated, images, {"ridge": RidgePredictor}, load_extractor=lambda _: Brightness())
        sheet = best_worst_sheet(report, images, annotated.scale)
    assert 2 * 128 < sheet.height < 3 * 128 + 100
