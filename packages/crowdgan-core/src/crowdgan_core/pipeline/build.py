"""The pipeline that makes a training dataset of a source: each image measured, cropped, resized, stored, labelled."""

from __future__ import annotations

import itertools
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
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import DatasetError, DensityError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.io.atomic import write_file
from crowdgan_core.pipeline.image_job import (
    ImageJob,
    ProcessedImage,
    Region,
    SkippedImage,
    measured_scene,
    process_image,
)
from crowdgan_core.pipeline.reading import (
    ErrorPolicy,
    ReadConfig,
    check_skipped,
    check_source_problems,
    require_annotations,
)
from crowdgan_core.pipeline.summary import BuildSummary
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import AnnotatedImage, SourceReader
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress


@dataclass(frozen=True, kw_only=True)
class BuildConfig(ReadConfig):
    """How a dataset is made."""

    dest: Path
    """Where it appears when it is whole."""

    format: DatasetFormat
    """How it is stored."""

    estimator: DensityEstimator | None = None
    """What measures the density; None keeps the labels that the source has."""

    transform: ImageTransform = field(default_factory=ImageTransform)
    """How images become one size."""

    region: Region = "crop"
    """What is measured: what the network will see, or the whole photograph."""

    label_kind: Literal["class", "value"] = "class"
    """Whether the label is the class number, or the density itself."""

    on_unknown: ErrorPolicy = "skip"
    """What to do with images whose density cannot be told."""

    overwrite: bool = False
    """Whether an existing destination is replaced."""

    fast_decode: bool = False
    """Whether large JPEGs are decoded at a reduced size of at least twice the target."""

    plotter: ScenePlotter | None = None
    """What draws overlay images."""

    plot_dir: Path | None = None
    """Folder for the overlay images."""


def build_dataset(
    source: SourceReader, source_name: str, settings: BuildConfig, progress: Progress | None = None
) -> BuildSummary:
    """Makes a dataset of a source; nothing appears at the destination unless all went well.

    Args:
        source: the indexed source.
        source_name: what the metadata says of the source, for example `crowdhuman: CrowdHuman_train01.zip`.
        settings: how the dataset is made.
        progress: told of each image.

    Raises:
        ConfigError: densities are asked of a source without annotations.
        DatasetError: something cannot be read or written, or no image is left.
        DensityError: a density cannot be told and `on_unknown` is `fail`.
    """
    started = time.monotonic()
    if settings.estimator is not None:
        require_annotations(source, source_name)
    run = _DatasetBuilder(source, settings, progress or NullProgress())
    with settings.format.create(settings.dest, overwrite=settings.overwrite) as writer:
        estimator = run.fitted_estimator()
        records = list(run.store_images(writer, estimator))
        if not records:
            raise DatasetError(f"{source_name}: no image is left; {run.summary.skipped_text()}")
        metadata = _metadata(source, source_name, settings, estimator, records)
        writer.finish(metadata)
    run.summary.classes, run.summary.unit = metadata.classes, metadata.unit
    run.summary.elapsed_s = time.monotonic() - started
    return run.summary


class _DatasetBuilder:
    """One pass of a source into a dataset, with what was skipped on the way."""

    def __init__(self, source: SourceReader, settings: BuildConfig, progress: Progress) -> None:
        self.summary = BuildSummary()
        self._source = source
        self._settings = settings
        self._progress = progress
        self._total = min(len(source), settings.max_images or len(source))
        self.summary.skipped.update(check_source_problems(source, settings.on_error))

    def fitted_estimator(self) -> DensityEstimator | None:
        """The estimator fitted to the scenes, which are read only if it asks for them."""
        if self._settings.estimator is None:
            return None
        return self._settings.estimator.fit(self._scenes())

    def store_images(self, writer: DatasetWriter, estimator: DensityEstimator | None) -> Iterator[ImageRecord]:
        """Stores the images one by one and yields their records."""
        self._progress.start("making images", self._total)
        first_size: tuple[int, int] | None = None
        work = partial(process_image, self._work(estimator))
        with closing(parallel_map(work, self._items(), workers=self._settings.workers)) as outcomes:
            for outcome in outcomes:
                self._progress.advance()
                self.summary.num_read += 1
                if isinstance(outcome, ProcessedImage):
                    first_size = first_size or outcome.size
                    outcome = self._of_one_size(outcome, first_size)
                if isinstance(outcome, SkippedImage):
                    self._leave_out(outcome)
                else:
                    yield self._store(writer, outcome)

    def _store(self, writer: DatasetWriter, made: ProcessedImage) -> ImageRecord:
        name = writer.add(made.encoded, made.size)
        if made.density is not None:
            value = made.density.value
            assert value is not None
            label = made.density.class_index if self._settings.label_kind == "class" else (value,)
            count = made.person_count
            record = ImageRecord(name=name, source=made.source_name, person_count=count, density=value, label=label)
        elif made.record is not None:
            record = replace(made.record, name=name, source=made.source_name)
        else:
            record = ImageRecord(name=name, source=made.source_name)
        if made.plot is not None and self._settings.plot_dir is not None:
            name = f"{Path(record.name).stem}.png"
            write_file(self._settings.plot_dir / name, made.plot, overwrite=True)
        self.summary.count(record)
        return record

    def _items(self) -> Iterator[AnnotatedImage]:
        return itertools.islice(self._source, self._settings.max_images)

    def _scenes(self) -> Iterator[Scene]:
        self._progress.start("reading scenes", self._total)
        work = partial(measured_scene, self._work(self._settings.estimator))
        with closing(parallel_map(work, self._items(), workers=self._settings.workers)) as outcomes:
            for outcome in outcomes:
                self._progress.advance()
                if not isinstance(outcome, SkippedImage):  # the pass that makes the images reports these
                    yield outcome

    def _work(self, estimator: DensityEstimator | None) -> ImageJob:
        settings = self._settings
        return ImageJob(
            transform=settings.transform,
            format=settings.format,
            estimator=estimator,
            region=settings.region,
            fast_decode=settings.fast_decode,
            plotter=settings.plotter,
        )

    def _of_one_size(self, made: ProcessedImage, first_size: tuple[int, int]) -> ProcessedImage | SkippedImage:
        if made.size == first_size:
            return made
        found, wanted = (f"{width}x{height} px" for height, width in (made.size, first_size))
        reason = f"{made.source_name}: {found}, where the first image has {wanted}; choose one by --resolution"
        return SkippedImage(source_name=made.source_name, kind="damaged or unfit images", reason=reason)

    def _leave_out(self, outcome: SkippedImage) -> None:
        if outcome.kind == "density cannot be told":
            if self._settings.on_unknown == "fail":
                raise DensityError(f"{outcome.source_name}: the density cannot be told: {outcome.reason}")
            self.summary.skip(f"{outcome.kind}: {outcome.reason}", outcome.source_name)
        else:
            check_skipped(outcome, self._settings.on_error)
            self.summary.skip(outcome.kind, outcome.reason)


def _metadata(
    source: SourceReader,
    source_name: str,
    settings: BuildConfig,
    estimator: DensityEstimator | None,
    records: list[ImageRecord],
) -> DatasetMetadata:
    common = replace(
        source.metadata,
        source=source.metadata.source or source_name,
        transform=_transforms(source.metadata.transform, settings.transform),
        tool_version=version("crowdgan-core"),
        images=tuple(records),
    )
    if estimator is None:
        kind = _source_label_kind(records, source_name)
        return replace(common, label_kind=kind, classes=_class_names(source, records) if kind == "class" else ())
    return replace(
        common,
        estimator=estimator.name,
        options=_plain_options(estimator),
        unit=estimator.unit,
        classes=tuple(estimator.classes) if settings.label_kind == "class" else (),
        label_kind=settings.label_kind,
        region=settings.region,
    )


def _transforms(earlier: str | None, now: ImageTransform) -> str:
    """What was done to the images: by the dataset that they come from, and now."""
    if earlier is None or now == ImageTransform():
        return earlier or str(now)
    return f"{earlier}, then {now}"


def _source_label_kind(records: list[ImageRecord], source_name: str) -> Literal["class", "value"] | None:
    kinds = {type(record.label) for record in records}
    if len(kinds) > 1:
        raise DatasetError(f"{source_name}: its labels are of several kinds, or only some images have one")
    return {int: "class", tuple: "value"}.get(kinds.pop())  # type: ignore[return-value]


def _class_names(source: SourceReader, records: list[ImageRecord]) -> tuple[str, ...]:
    """The source's own names; the class numbers where it has none."""
    count = 1 + max(record.label for record in records if isinstance(record.label, int))
    names = source.metadata.classes
    return names if len(names) >= count else tuple(map(str, range(count)))


def _plain_options(estimator: DensityEstimator) -> dict[str, Any]:
    """All fields of an estimator as JSON-ready values."""
    assert is_dataclass(estimator)
    values = {item.name: getattr(estimator, item.name) for item in fields(estimator)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
