"""Metadata of a dataset build: the estimator, the source, and the labels."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord, LabelKind
from crowdgan_core.density.checked_calls import exact_class_bounds
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import DatasetError
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.image_job import ProcessedImage
from crowdgan_core.pipeline.summary import BuildSummary
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SourceReader


def image_record(image: ProcessedImage, name: str, label_kind: LabelKind) -> ImageRecord:
    """The record of a processed image: its density and label, or else the record that the source has.

    Args:
        image: the processed image.
        name: its name in the dataset.
        label_kind: label of an image with a density.
    """
    if image.density is None:
        return replace(image.record or ImageRecord(name=name), name=name, source=image.source_name)
    value = image.density.value
    assert value is not None
    return ImageRecord(
        name=name,
        source=image.source_name,
        person_count=image.person_count,
        density=value,
        interval=image.density.interval,
        peak=image.density.peak,
        label=image.density.class_index if label_kind == "class" else (value,),
    )


def dataset_metadata(
    source: SourceReader,
    source_name: str,
    config: BuildConfig,
    estimator: DensityEstimator | None,
    summary: BuildSummary,
) -> DatasetMetadata:
    """The metadata of a dataset without image records.

    Args:
        source: the source of the images.
        source_name: its name.
        config: settings of the build.
        estimator: the fitted estimator.
        summary: counts of the images.

    Raises:
        DatasetError: the source has labels of different types, or only some of its images have a label.
    """
    common = replace(
        source.metadata,
        source=source.metadata.source or source_name,
        transform=_transform_history(source.metadata.transform, config.transform),
        tool_version=version("crowdgan-core"),
        images=(),
    )
    if estimator is None:
        label_kind = _source_label_kind(summary, source_name)
        classes = _class_names(source, summary) if label_kind == "class" else ()
        bounds = common.class_bounds if classes == common.classes else None
        return replace(common, label_kind=label_kind, classes=classes, class_bounds=bounds)
    return replace(
        common,
        estimator=estimator.name,
        options=options_json(estimator),
        unit=estimator.unit,
        classes=tuple(estimator.classes) if config.label_kind == "class" else (),
        class_bounds=exact_class_bounds(estimator) if config.label_kind == "class" else None,
        label_kind=config.label_kind,
        region=config.region,
    )


def _transform_history(earlier: str | None, transform: ImageTransform) -> str:
    """Transforms applied to the images: in the dataset that they come from, then in this build."""
    if earlier is None or transform == ImageTransform():
        return earlier or str(transform)
    return f"{earlier}, then {transform}"


def _source_label_kind(summary: BuildSummary, source_name: str) -> LabelKind | None:
    if len(summary.label_types) > 1:
        raise DatasetError(f"{source_name}: labels of different types, or only some images have a label")
    kinds: dict[type, LabelKind] = {int: "class", tuple: "value"}
    return kinds.get(next(iter(summary.label_types)))


def _class_names(source: SourceReader, summary: BuildSummary) -> tuple[str, ...]:
    """Class names of the source; the class indices if it has too few names."""
    count = 1 + max(summary.label_counts)
    names = source.metadata.classes
    return names if len(names) >= count else tuple(map(str, range(count)))


def options_json(estimator: DensityEstimator) -> dict[str, Any]:
    """All options of an estimator as JSON-ready values."""
    assert is_dataclass(estimator)
    values = {item.name: getattr(estimator, item.name) for item in fields(estimator)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
