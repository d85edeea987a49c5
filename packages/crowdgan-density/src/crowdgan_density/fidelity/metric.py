"""The metric `density_fidelity` of `crowdgan metrics`."""

from __future__ import annotations

from collections.abc import Mapping

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_core.metrics.fidelity_report import FidelityReport
from crowdgan_core.metrics.metric import MetricInputs, MetricValue
from crowdgan_core.metrics.predictor_calls import available_predictors
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.progress import Progress
from crowdgan_density.fidelity.annotated_images import AnnotatedImages, split_dataset
from crowdgan_density.fidelity.evaluation import (
    FidelityEvaluation,
    check_size,
    fit_predictors,
)
from crowdgan_density.fidelity.image_sets import ConditionedImages

INTRA_CLASS_EXTRACTOR = "lite0"
"""Feature extractor of the distances within classes."""


class DensityFidelityMetric:
    """Requested against measured density: accuracy, error, rank correlation and ordering, each with its floor."""

    name = "density_fidelity"
    description = (
        "requested against measured density, beside the score of real images (floor); higher accuracy is better"
    )
    higher_is_better = True
    ranking_key = "density_fidelity_accuracy_excess"

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        """The reason why it cannot be computed; None if it can be."""
        if inputs.dataset is None:
            return "needs a labelled dataset: give --data DATASET"
        if inputs.generator is None:
            return "needs a model; to compare two labelled datasets: crowdgan metrics density --against"
        predictors, unavailable = available_predictors(installed_plugins())
        if not predictors:
            return f"needs a density predictor: {'; '.join(unavailable) or 'none is installed'}"
        try:
            check_size(*_images(inputs, inputs.dataset, inputs.generator))
        except CrowdganError as error:
            return str(error)
        return None

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        """Values of the headline predictor; only `density_fidelity_void` if the scores of all predictors are void."""
        if inputs.dataset is None or inputs.generator is None:
            raise ConfigError(f"{self.name}: {self.unavailable_reason(inputs)}")
        annotated, images = _images(inputs, inputs.dataset, inputs.generator)

        def fit() -> FidelityEvaluation:
            predictors, unavailable = available_predictors(installed_plugins())
            return fit_predictors(
                annotated,
                predictors,
                load_extractor=inputs.extractor,
                unavailable=unavailable,
                seed=inputs.seed,
                device=inputs.device,
                progress=progress,
            )

        evaluation = inputs.real_result(self.name, fit)
        return metric_values(evaluation.report(images, progress=progress))


def _images(
    inputs: MetricInputs, dataset: DatasetReader, generator: ImageGenerator
) -> tuple[AnnotatedImages, ConditionedImages]:
    """The annotated images of the dataset, and the images of the generator."""
    annotated = split_dataset(dataset, seed=inputs.seed)
    options = GenerationOptions(batch_size=inputs.batch_size)
    return annotated, ConditionedImages(
        generator, "generated images", annotated.scale, num_images=inputs.num_images, seed=inputs.seed, options=options
    )


def metric_values(report: FidelityReport) -> dict[str, MetricValue]:
    """The numbers of a report by key; the floor of a score has the suffix `_floor`."""
    headline = report.headline
    if headline is None:
        return {"density_fidelity_void": MetricValue(1.0)}
    scores = {
        "accuracy": (headline.generated.accuracy, headline.held_out.accuracy),
        "mae": (headline.generated.mae, headline.held_out.mae),
        "spearman": (headline.generated.spearman, headline.held_out.spearman),
        "ordering": (headline.generated.ordering, headline.held_out.ordering),
    }
    values = {"void": MetricValue(0.0), "accuracy_excess": headline.excess_accuracy}
    for name, (value, floor) in scores.items():
        if value is not None:
            values[name] = value
        if floor is not None:
            values[f"{name}_floor"] = floor
    if report.agreement is not None:
        values["agreement"] = MetricValue(report.agreement.generated_same_class)
    return {f"density_fidelity_{name}": value for name, value in values.items()}
