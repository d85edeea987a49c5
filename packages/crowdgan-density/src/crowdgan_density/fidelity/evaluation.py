"""Density fidelity: requested against measured density, with held-out real images as the floor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor
from crowdgan_core.metrics.fidelity_report import (
    FidelityReport,
    IntraClassDistance,
    MeasuredImage,
    PredictorAgreement,
    PredictorReport,
    Sensitivity,
)
from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.metrics.predictor_calls import LoadExtractor, check_predictors, fit_predictor, predict_logs
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.flags import format_size
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_density.fidelity.annotated_images import BATCH_SIZE, AnnotatedImages, remove_copies
from crowdgan_density.fidelity.density_scale import DensityScale
from crowdgan_density.fidelity.image_sets import RememberedFeatures, RequestedImages, Requests
from crowdgan_density.fidelity.intra_class import intra_class_distances
from crowdgan_density.fidelity.judgement import compare_predictors, judge_predictor
from crowdgan_density.fidelity.scores import Measurements
from crowdgan_density.fidelity.sensitivity import measure_sensitivity

MAX_SENSITIVITY_IMAGES = 100
"""Held-out images that are blurred."""


def fit_predictors(
    annotated: AnnotatedImages,
    predictors: Mapping[str, type[DensityPredictor]],
    *,
    load_extractor: LoadExtractor,
    unavailable: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> FidelityEvaluation:
    """Density predictors fitted to annotated images, which evaluate any number of generators.

    Args:
        annotated: annotated images, from `split_dataset`.
        predictors: density predictor classes by name, at least one.
        load_extractor: the feature extractor of a name.
        unavailable: predictors that cannot be used, with the reason, for the report.
        seed: seed of everything random.
        device: `auto`, `cpu` or `cuda`.
        progress: receives progress reports.

    Raises:
        ConfigError: no predictors.
        DatasetError: an image is damaged, or the images of a dataset have several sizes.
        PluginError: a predictor or an extractor failed, or returned invalid values.
    """
    check_predictors(predictors, unavailable)
    annotated = remove_copies(annotated)
    evaluation = FidelityEvaluation(annotated, load_extractor, unavailable, seed=seed, device=device)
    evaluation.fit(predictors, progress or NullProgress())
    return evaluation


def evaluate_fidelity(
    annotated: AnnotatedImages,
    images: RequestedImages,
    predictors: Mapping[str, type[DensityPredictor]],
    *,
    load_extractor: LoadExtractor,
    intra_class_extractor: str | None = None,
    unavailable: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> FidelityReport:
    """The report of density fidelity of one set of images; see `fit_predictors` and `FidelityEvaluation.report`."""
    check_size(annotated, images)
    evaluation = fit_predictors(
        annotated,
        predictors,
        load_extractor=load_extractor,
        unavailable=unavailable,
        seed=seed,
        device=device,
        progress=progress,
    )
    return evaluation.report(images, intra_class_extractor, progress)


def check_size(annotated: AnnotatedImages, images: RequestedImages) -> None:
    """Checks that requested images have the size of the annotated ones, which predictors are fitted to.

    Raises:
        ConfigError: the sizes differ.
    """
    if images.size != annotated.training.size:
        sizes = format_size(images.size), format_size(annotated.training.size)
        raise ConfigError(
            f"{images.description}: images of {sizes[0]} px; those of the dataset {annotated.name} are {sizes[1]} px; "
            "density fidelity needs equal sizes: crowdgan convert --resolution"
        )


class FidelityEvaluation:
    """Fitted predictors, with their results on held-out real images; see `fit_predictors`."""

    def __init__(
        self,
        annotated: AnnotatedImages,
        load_extractor: LoadExtractor,
        unavailable: tuple[str, ...],
        *,
        seed: int,
        device: str,
    ) -> None:
        self._annotated, self._scale = annotated, annotated.scale
        self._seed, self._device, self._unavailable = seed, device, unavailable
        self._load_extractor = load_extractor
        self._extractors: dict[str, RememberedFeatures] = {}
        self._predictors: dict[str, DensityPredictor] = {}
        self._real_logs: dict[str, FloatArray] = {}
        self._sensitivities: dict[str, Sensitivity] = {}

    def extractor(self, name: str) -> RememberedFeatures:
        """The feature extractor of a name; features are computed once for all predictors."""
        if name not in self._extractors:
            self._extractors[name] = RememberedFeatures(self._load_extractor(name))
        return self._extractors[name]

    def fit(self, predictors: Mapping[str, type[DensityPredictor]], progress: Progress) -> None:
        """Fits the predictors to the logarithmic densities of the training part, and measures the held-out part."""
        targets = self._scale.log(self._annotated.training_densities)
        for name, predictor in predictors.items():
            self._predictors[name] = fit_predictor(
                predictor,
                self._annotated.training,
                targets,
                load_extractor=self.extractor,
                seed=self._seed,
                device=self._device,
                progress=progress,
            )
        self._real_logs, _ = self._measure(self._annotated.held_out, progress)
        self._sensitivities = {name: self._sensitivity(predictor) for name, predictor in self._predictors.items()}

    def report(
        self, images: RequestedImages, intra_class_extractor: str | None = None, progress: Progress | None = None
    ) -> FidelityReport:
        """The report of images with requested labels.

        Args:
            images: images with requested labels.
            intra_class_extractor: feature extractor of the distances within classes; None for no distances.
            progress: receives progress reports.

        Raises:
            ConfigError: images of another size than the annotated ones.
            DatasetError: an image is damaged.
            PluginError: a predictor or an extractor failed, or returned invalid values.
        """
        annotated, scale, labels = self._annotated, self._scale, self._annotated.held_out_requests
        check_size(annotated, images)
        progress = progress or NullProgress()
        extractor = None if intra_class_extractor is None else self.extractor(intra_class_extractor)
        logs, features = self._measure(images, progress, extractor)
        real = {name: self._measurements(labels, values) for name, values in self._real_logs.items()}
        generated = {name: self._measurements(images.requests, values) for name, values in logs.items()}
        reports = tuple(self._judge(name, real[name], generated[name]) for name in self._predictors)
        intra_class = () if extractor is None else self._intra_class(extractor, features, images.requests, progress)
        return FidelityReport(
            data=annotated.name,
            images=images.description,
            label_kind=scale.label_kind,
            unit=scale.unit,
            classes=scale.classes,
            class_bounds=scale.bounds.values,
            log_offset=scale.offset,
            seed=self._seed,
            truncation_psi=images.truncation_psi,
            num_training=len(annotated.training),
            num_held_out=len(annotated.held_out),
            predictors=reports,
            unavailable=self._unavailable,
            agreement=_agreement(reports, generated, real),
            intra_class_extractor=intra_class_extractor,
            intra_class=intra_class,
            measured=_measured_images(images.requests, scale, generated),
            held_out=_measured_images(labels, scale, real),
            notes=annotated.notes,
        )

    def _measure(
        self, images: DatasetImages | RequestedImages, progress: Progress, extractor: FeatureExtractor | None = None
    ) -> tuple[dict[str, FloatArray], list[FeatureArray]]:
        """Predicted logarithms by predictor, and features of each batch; images are read or generated once."""
        logs: dict[str, list[FloatArray]] = {name: [] for name in self._predictors}
        features: list[FeatureArray] = []
        count = len(images) if isinstance(images, DatasetImages) else len(images.requests.names)
        progress.start(f"measuring {images.description}", count)
        for batch in images.batches(BATCH_SIZE):
            for name, predictor in self._predictors.items():
                logs[name].append(predict_logs(predictor, batch))
            if extractor is not None:
                features.append(extractor.features(batch))
            for _ in batch:
                progress.advance()
        return {name: np.concatenate(values) for name, values in logs.items()}, features

    def _measurements(self, requests: Requests, logs: FloatArray) -> Measurements:
        scale, densities = self._scale, self._scale.density(logs)
        return Measurements(
            latents=requests.latents,
            requested_classes=requests.classes,
            measured_classes=scale.class_indices(densities),
            requested=requests.labels(scale),
            measured=scale.labels(densities),
            densities=densities,
            num_classes=len(scale.classes),
        )

    def _sensitivity(self, predictor: DensityPredictor) -> Sensitivity:
        """Change of the measured density of real images when they are blurred or moved."""
        subset = self._annotated.held_out
        images = DatasetImages(subset.reader, evenly_spaced(subset.indices, MAX_SENSITIVITY_IMAGES))
        return measure_sensitivity(
            images.batches(BATCH_SIZE),
            lambda batch: self._scale.class_position(predict_logs(predictor, batch)),
            seed=self._seed,
        )

    def _judge(self, name: str, held_out: Measurements, generated: Measurements) -> PredictorReport:
        description, sensitivity = self._predictors[name].description, self._sensitivities[name]
        return judge_predictor(name, description, held_out, generated, sensitivity, seed=self._seed)

    def _intra_class(
        self, extractor: FeatureExtractor, generated: list[FeatureArray], requests: Requests, progress: Progress
    ) -> tuple[IntraClassDistance, ...]:
        """Distances within classes between all annotated images and the generated ones."""
        annotated = self._annotated
        rows: list[FeatureArray] = []
        progress.start(f"features of {annotated.name}", len(annotated.held_out) + len(annotated.training))
        for images in (annotated.held_out, annotated.training):
            for batch in images.batches(BATCH_SIZE):
                rows.append(extractor.features(batch))
                for _ in batch:
                    progress.advance()
        classes = np.concatenate([annotated.held_out_requests.classes, annotated.training_classes])
        return intra_class_distances(
            np.concatenate(rows),
            classes,
            np.concatenate(generated),
            requests.classes,
            self._scale.classes,
            seed=self._seed,
        )


def _agreement(
    reports: tuple[PredictorReport, ...], generated: Mapping[str, Measurements], held_out: Mapping[str, Measurements]
) -> PredictorAgreement | None:
    """Agreement of the first two valid predictors; None with fewer."""
    valid = [report for report in reports if not report.is_void]
    if len(valid) < 2:
        return None
    first, second = valid[:2]
    return compare_predictors(
        (first, second),
        (generated[first.name], generated[second.name]),
        (held_out[first.name], held_out[second.name]),
    )


def _measured_images(
    requests: Requests, scale: DensityScale, measurements: Mapping[str, Measurements]
) -> tuple[MeasuredImage, ...]:
    densities = np.stack([item.densities for item in measurements.values()], axis=1)
    columns = (requests.names, requests.classes.tolist(), requests.labels(scale).tolist(), densities.tolist())
    return tuple(
        MeasuredImage(name=name, requested_class=index, requested=label, measured=tuple(measured))
        for name, index, label, measured in zip(*columns, strict=True)
    )
