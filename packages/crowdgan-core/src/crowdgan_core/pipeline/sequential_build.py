"""Builds of datasets that are written image by image: worker processes process images, this process stores them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

from crowdgan_core.datasets.checked_writer import create_checked
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetWriter, SequentialFormat
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import DatasetError
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.build_metadata import dataset_metadata, image_record
from crowdgan_core.pipeline.fitting import fit_to_source
from crowdgan_core.pipeline.image_job import ProcessedImage, SkippedImage, process_image
from crowdgan_core.pipeline.skipping import check_size
from crowdgan_core.pipeline.summary import BuildSummary, list_skipped
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import Progress


def build_in_order(
    source: SourceReader,
    source_name: str,
    config: BuildConfig,
    dataset_format: SequentialFormat,
    summary: BuildSummary,
    progress: Progress,
) -> DatasetMetadata:
    """Builds a dataset of a sequential format; the destination appears only if the whole build succeeds.

    Args:
        source: the indexed source.
        source_name: its name.
        config: settings of the build.
        dataset_format: the format.
        summary: receives the counts.
        progress: receives one step per image.

    Returns:
        The metadata of the dataset.

    Raises:
        CrowdganError: as `build_dataset`.
    """
    with create_checked(dataset_format, config.dest, overwrite=config.overwrite) as writer:
        estimator = fit_to_source(source, config, progress)
        images = _process_images(source, config, estimator, summary, progress)
        records = [_store(image, writer, config, summary) for image in images]
        if not records:
            raise DatasetError(f"{source_name}: no images remain; {list_skipped(summary.skipped)}")
        metadata = dataset_metadata(source, source_name, config, estimator, summary)
        writer.finish(metadata.with_images(records))
    return metadata


def _process_images(
    source: SourceReader,
    config: BuildConfig,
    estimator: DensityEstimator | None,
    summary: BuildSummary,
    progress: Progress,
) -> Iterator[ProcessedImage]:
    """The images of one size; the others are counted as skipped."""
    progress.start("processing images", config.count_images(source))
    first_size: tuple[int, int] | None = None
    process = partial(process_image, config.image_job(estimator))
    images = itertools.islice(source, config.max_images)
    with closing(parallel_map(process, images, workers=config.executor)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            summary.num_read += 1
            if isinstance(outcome, ProcessedImage):
                first_size = first_size or outcome.size
                outcome = check_size(outcome, first_size)
            if isinstance(outcome, SkippedImage):
                config.skip_policy.count(outcome, summary)
            else:
                yield outcome


def _store(image: ProcessedImage, writer: DatasetWriter, config: BuildConfig, summary: BuildSummary) -> ImageRecord:
    """Stores one image and returns its record."""
    unnamed = image_record(image, "", config.label_kind)
    record = replace(unnamed, name=writer.add(image.encoded, image.size, unnamed))
    image.write_plot(record.name, config.plot_dir)
    summary.count(record)
    return record
