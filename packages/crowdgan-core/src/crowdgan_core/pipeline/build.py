"""The pipeline from a source to a training dataset: estimate the density, crop, resize, store and label each image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetFormat, DatasetWriter
from crowdgan_core.density.checked_calls import exact_class_bounds, fit_estimator
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import DatasetError, DensityError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.pipeline.image_job import (
    UNKNOWN_DENSITY,
    UNUSABLE,
    ImageJob,
    ProcessedImage,
    Region,
    SkippedImage,
    load_measured_scene,
    process_image,
)
from crowdgan_core.pipeline.reading import (
    ErrorPolicy,
    ReadConfig,
    check_skipped,
    check_source_problems,
    iterate_images,
    require_annotations,
)
from crowdgan_core.pipeline.summary import BuildSummary, list_skipped
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import AnnotatedImage, SourceReader
from crowdgan_core.utils.flags import flag, format_size
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.plugin_calls import plugin_call, require_result
from crowdgan_core.utils.progress import NullProgress, Progress


@dataclass(frozen=True, kw_only=True)
class BuildOptions(ReadConfig):
    """Options of a dataset build that a user sets directly."""

    dest: Path = flag("--dest", help="Output dataset: NAME.zip, NAME.h5 or a folder.")
    """The dataset appears there when it is complete."""

    region: Region = flag(
        "--region", default="crop", help="Region to measure: the crop seen by the network, or the full image."
    )

    label_kind: Literal["class", "value"] = flag(
        "--label-kind", default="class", help="Label type: class index or density value."
    )

    on_unknown: ErrorPolicy = flag(
        "--on-unknown", default="skip", help="How to handle images whose density cannot be estimated."
    )

    plot_dir: Path | None = flag("--plot", default=None, help="Write density overlays to this folder.")

    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite the output if it exists.")

    fast_decode: bool = flag(
        "--fast-decode",
        default=False,
        switch=True,
        help="Decode large JPEGs at reduced size (faster, pixels differ slightly).",
    )
    """The decoded size is at least twice the target size."""


@dataclass(frozen=True, kw_only=True)
class BuildConfig(BuildOptions):
    """All settings of a dataset build."""

    format: DatasetFormat
    """Dataset format."""

    estimator: DensityEstimator | None = None
    """Density estimator; None keeps the labels of the source."""

    transform: ImageTransform = field(default_factory=ImageTransform)
    """Crop and resize, so that all images have one size."""

    plotter: ScenePlotter | None = None
    """Draws the density overlays."""


def build_dataset(
    source: SourceReader, source_name: str, config: BuildConfig, progress: Progress | None = None
) -> BuildSummary:
    """Builds a dataset from a source; the destination appears only if the whole build succeeds.

    Args:
        source: the indexed source.
        source_name: the source in the metadata, for example `crowdhuman: CrowdHuman_train01.zip`.
        config: settings of the build.
        progress: receives one step per image.

    Raises:
        ConfigError: an estimator is given, and the source has no annotations of people.
        DatasetError: something cannot be read or written, or no images remain.
        DensityError: a density cannot be estimated and `on_unknown` is `fail`.
        PluginError: an exception in a plugin's code, or an invalid result.
    """
    started = time.monotonic()
    if config.estimator is not None:
        require_annotations(source, source_name)
    builder = _DatasetBuilder(source, config, progress or NullProgress())
    with config.format.create(config.dest, overwrite=config.overwrite) as writer:
        estimator = builder.fit_estimator()
        records = list(builder.store_images(writer, estimator))
        if not records:
            raise DatasetError(f"{source_name}: no images remain; {list_skipped(builder.summary.skipped)}")
        metadata = _metadata(source, source_name, config, estimator, records)
        writer.finish(metadata)
    builder.summary.classes, builder.summary.unit = metadata.classes, metadata.unit
    if estimator is not None:
        builder.summary.estimator, builder.summary.class_bounds = estimator.name, metadata.class_bounds
    builder.summary.elapsed_s = time.monotonic() - started
    return builder.summary


class _DatasetBuilder:
    """One pass over a source that writes a dataset and counts the skipped images."""

    def __init__(self, source: SourceReader, config: BuildConfig, progress: Progress) -> None:
        self.summary = BuildSummary()
        self._source = source
        self._config = config
        self._progress = progress
        self._total = min(len(source), config.max_images or len(source))
        self.summary.skipped.update(check_source_problems(source, config.on_error))

    def fit_estimator(self) -> DensityEstimator | None:
        """The estimator fitted to the scenes, which are read only if the estimator iterates over them."""
        if self._config.estimator is None:
            return None
        return fit_estimator(self._config.estimator, self._scenes())

    def store_images(self, writer: DatasetWriter, estimator: DensityEstimator | None) -> Iterator[ImageRecord]:
        """Stores the images one by one and yields their records."""
        self._progress.start("processing images", self._total)
        first_size: tuple[int, int] | None = None
        process = partial(process_image, self._job(estimator))
        with closing(parallel_map(process, self._images(), workers=self._config.workers)) as outcomes:
            for outcome in outcomes:
                self._progress.advance()
                self.summary.num_read += 1
                if isinstance(outcome, ProcessedImage):
                    first_size = first_size or outcome.size
                    outcome = _check_size(outcome, first_size)
                if isinstance(outcome, SkippedImage):
                    self._skip(outcome)
                else:
                    yield self._store(writer, outcome)

    def _store(self, writer: DatasetWriter, image: ProcessedImage) -> ImageRecord:
        where = f"image {image.source_name}"
        with plugin_call("dataset format", self._config.format, where):
            name = writer.add(image.encoded, image.size)
        is_name = isinstance(name, str)
        problem = f"add returned {type(name).__name__}; it must return the name of the image"
        require_result(is_name, "dataset format", self._config.format, where, problem)
        if image.density is not None:
            value = image.density.value
            assert value is not None
            label = image.density.class_index if self._config.label_kind == "class" else (value,)
            record = ImageRecord(
                name=name,
                source=image.source_name,
                person_count=image.person_count,
                density=value,
                interval=image.density.interval,
                peak=image.density.peak,
                label=label,
            )
        elif image.record is not None:
            record = replace(image.record, name=name, source=image.source_name)
        else:
            record = ImageRecord(name=name, source=image.source_name)
        if image.plot is not None and self._config.plot_dir is not None:
            plot_name = f"{Path(record.name).stem}.png"
            write_bytes(self._config.plot_dir / plot_name, image.plot, overwrite=True)
        self.summary.count(record)
        return record

    def _images(self) -> Iterator[AnnotatedImage]:
        return iterate_images(self._source, self._config.max_images)

    def _scenes(self) -> Iterator[Scene]:
        self._progress.start("reading scenes", self._total)
        load = partial(load_measured_scene, self._job(self._config.estimator))
        with closing(parallel_map(load, self._images(), workers=self._config.workers)) as outcomes:
            for outcome in outcomes:
                self._progress.advance()
                if not isinstance(outcome, SkippedImage):  # store_images reports skipped images
                    yield outcome

    def _job(self, estimator: DensityEstimator | None) -> ImageJob:
        config = self._config
        return ImageJob(
            transform=config.transform,
            format=config.format,
            estimator=estimator,
            region=config.region,
            fast_decode=config.fast_decode,
            plotter=config.plotter,
        )

    def _skip(self, image: SkippedImage) -> None:
        if image.category == UNKNOWN_DENSITY:
            if self._config.on_unknown == "fail":
                raise DensityError(f"{image.source_name}: the density cannot be estimated: {image.reason}")
            self.summary.skip(f"{image.category}: {image.reason}", image.source_name)
        else:
            check_skipped(image, self._config.on_error)
            self.summary.skip(image.category, image.reason)


def _check_size(image: ProcessedImage, first_size: tuple[int, int]) -> ProcessedImage | SkippedImage:
    """The image, or the reason to skip it if its size differs from that of the first image."""
    if image.size == first_size:
        return image
    sizes = f"{format_size(image.size)} px, but the first image has {format_size(first_size)} px"
    reason = f"{image.source_name}: {sizes}; set one size with --resolution"
    return SkippedImage(source_name=image.source_name, category=UNUSABLE, reason=reason)


def _metadata(
    source: SourceReader,
    source_name: str,
    config: BuildConfig,
    estimator: DensityEstimator | None,
    records: list[ImageRecord],
) -> DatasetMetadata:
    common = replace(
        source.metadata,
        source=source.metadata.source or source_name,
        transform=_transform_history(source.metadata.transform, config.transform),
        tool_version=version("crowdgan-core"),
        images=tuple(records),
    )
    if estimator is None:
        label_kind = _source_label_kind(records, source_name)
        classes = _class_names(source, records) if label_kind == "class" else ()
        bounds = common.class_bounds if classes == common.classes else None
        return replace(common, label_kind=label_kind, classes=classes, class_bounds=bounds)
    return replace(
        common,
        estimator=estimator.name,
        options=_options_json(estimator),
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


def _source_label_kind(records: list[ImageRecord], source_name: str) -> Literal["class", "value"] | None:
    types = {type(record.label) for record in records}
    if len(types) > 1:
        raise DatasetError(f"{source_name}: labels of different types, or only some images have a label")
    return {int: "class", tuple: "value"}.get(types.pop())  # type: ignore[return-value]


def _class_names(source: SourceReader, records: list[ImageRecord]) -> tuple[str, ...]:
    """Class names of the source; the class indices if it has too few names."""
    count = 1 + max(record.label for record in records if isinstance(record.label, int))
    names = source.metadata.classes
    return names if len(names) >= count else tuple(map(str, range(count)))


def _options_json(estimator: DensityEstimator) -> dict[str, Any]:
    """All fields of an estimator as JSON-ready values."""
    assert is_dataclass(estimator)
    values = {item.name: getattr(estimator, item.name) for item in fields(estimator)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
