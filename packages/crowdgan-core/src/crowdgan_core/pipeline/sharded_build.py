"""Builds of datasets in shards: worker processes write whole shards, and an interrupted build continues."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import IO, Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.shards.layout import (
    DESCRIPTION_NAME,
    INDEX_DTYPE,
    INDEX_NAME,
    RECORDS_NAME,
    ShardFile,
    ShardsDescription,
    encode_record,
)
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import check_overwrite, wrap_os_errors, write_bytes
from crowdgan_core.io.resumable_job import ResumableJob, open_resumable_job
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.build_metadata import dataset_metadata, options_json
from crowdgan_core.pipeline.fitting import fit_to_source
from crowdgan_core.pipeline.shard_writing import FinishedShard, ShardOutcome, ShardTask, ShardWriter, read_finished
from crowdgan_core.pipeline.summary import BuildSummary, list_skipped
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import Progress

SHARD_SIZES = (64, 1000)
"""Smallest and largest default number of images per shard."""

DEFAULT_SHARDS = 64
"""Number of shards between these limits, so that as many workers can share a build."""


def build_in_shards(
    source: SourceReader, source_name: str, config: BuildConfig, summary: BuildSummary, progress: Progress
) -> DatasetMetadata:
    """Builds a dataset in shards; shards of an interrupted build are kept if nothing has changed.

    Memory does not grow with the number of images, except for a few bytes per image in the summary.

    Args:
        source: the indexed source.
        source_name: its name.
        config: settings of the build.
        summary: receives the counts.
        progress: receives one step per image.

    Returns:
        The metadata of the dataset, without image records.

    Raises:
        CrowdganError: as `build_dataset`.
    """
    _check_destination(config)
    shard_size = config.shard_size or default_shard_size(config.count_images(source))
    build = _ShardedBuild(
        source=source,
        source_name=source_name,
        config=config,
        shard_size=shard_size,
        summary=summary,
        progress=progress,
    )
    with open_resumable_job(config.dest, build.settings()) as job:
        estimator = fit_to_source(source, config, progress)
        counts = build.write_shards(job, estimator)
        metadata = build.write_index(job, estimator, counts)
        job.finish(overwrite=config.overwrite)
    return metadata


def _check_destination(config: BuildConfig) -> None:
    """Checks that the destination does not exist, or is a dataset in shards that may be overwritten."""
    check_overwrite(config.dest, overwrite=config.overwrite)
    if config.dest.exists() and not (config.dest / DESCRIPTION_NAME).is_file():
        problem = f"is not a dataset in shards ({DESCRIPTION_NAME} is missing)"
        raise DatasetError(f"{config.dest}: {problem}; choose another destination")


def default_shard_size(num_images: int) -> int:
    """Default number of images per shard."""
    low, high = SHARD_SIZES
    return min(max(math.ceil(num_images / DEFAULT_SHARDS), low), high)


@dataclass(frozen=True, kw_only=True)
class _ShardedBuild:
    """The steps of a build; see `build_in_shards`."""

    source: SourceReader
    source_name: str
    config: BuildConfig
    shard_size: int
    summary: BuildSummary
    progress: Progress

    def settings(self) -> dict[str, Any]:
        """Everything that determines the contents of the dataset."""
        config, estimator = self.config, self.config.estimator
        return {
            "version": version("crowdgan-core"),
            "source": self.source_name,
            "images": config.count_images(self.source),
            "density": None if estimator is None else estimator.name,
            "options": None if estimator is None else options_json(estimator),
            "transform": str(config.transform),
            "region": config.region,
            "label_kind": config.label_kind,
            "fast_decode": config.fast_decode,
            "shard_size": self.shard_size,
            "plots": None if config.plot_dir is None else str(config.plot_dir),
        }

    def write_shards(self, job: ResumableJob, estimator: DensityEstimator | None) -> tuple[int, int]:
        """Writes all shards that are not finished, and returns the number of all shards and of their images."""
        config = self.config
        self.progress.start("processing images", config.count_images(self.source))
        writer = ShardWriter(
            shards=job.output,
            finished=job.finished,
            job=config.image_job(estimator),
            label_kind=config.label_kind,
            skip_policy=config.skip_policy,
            plots=config.plot_dir,
        )
        num_shards = num_images = 0
        for outcome in self._outcomes(writer):
            num_shards += 1
            num_images += outcome.num_images
            if outcome.failed is not None:
                config.skip_policy.count(outcome.failed, self.summary)
            if outcome.was_finished:
                self.summary.num_resumed += outcome.num_read
            for _ in range(outcome.num_read):
                self.progress.advance()
        return num_shards, num_images

    def _outcomes(self, writer: ShardWriter) -> Iterator[ShardOutcome]:
        """Outcomes of all shards in order.

        If images keep their size, shards are written one after the other until the first image has determined it.
        """
        transform, tasks = self.config.transform, self._tasks()
        size = None if transform.size is None else transform.geometry(transform.size).canvas_size
        while size is None:
            task = next(tasks, None)
            if task is None:
                return
            outcome = writer(task)
            yield outcome
            size = outcome.size
        sized = (replace(task, size=size) for task in tasks)
        with closing(parallel_map(writer, sized, workers=self.config.executor, chunk_size=1)) as outcomes:
            yield from outcomes

    def _tasks(self) -> Iterator[ShardTask]:
        images = itertools.islice(self.source, self.config.max_images)
        for number in itertools.count():
            shard = tuple(itertools.islice(images, self.shard_size))
            if not shard:
                return
            yield ShardTask(number=number, first_image=number * self.shard_size, images=shard, size=None)

    def write_index(
        self, job: ResumableJob, estimator: DensityEstimator | None, counts: tuple[int, int]
    ) -> DatasetMetadata:
        """Writes index, records and description of a dataset from the numbers of finished shards and their images."""
        num_shards, num_images = counts
        self.progress.start("writing the index", num_shards)
        files: list[ShardFile] = []
        size = None
        records_path, index_path = job.output / RECORDS_NAME, job.output / INDEX_NAME
        with wrap_os_errors(job.dest), records_path.open("wb") as records, index_path.open("wb") as index:
            index.write(_index_header(num_images))
            for number in range(num_shards):
                finished = _finished(job, number)
                self.summary.num_read += finished.num_read
                for skipped in finished.skipped:
                    self.config.skip_policy.count(skipped, self.summary)
                if finished.file is not None:
                    index.write(_write_records(finished, len(files), records, self.summary))
                    files.append(finished.file)
                    size = finished.size
                self.progress.advance()
        if size is None:
            raise DatasetError(f"{self.source_name}: no images remain; {list_skipped(self.summary.skipped)}")
        metadata = dataset_metadata(self.source, self.source_name, self.config, estimator, self.summary)
        records_bytes = records_path.stat().st_size
        description = ShardsDescription(metadata=metadata, size=size, records_bytes=records_bytes, shards=tuple(files))
        write_bytes(job.output / DESCRIPTION_NAME, description.to_text().encode(), overwrite=True)
        return metadata


def _finished(job: ResumableJob, number: int) -> FinishedShard:
    finished = read_finished(job.finished, number)
    if finished is None:
        raise DatasetError(
            f"{job.finished}: the file of shard {number} has been removed or changed; repeat the command"
        )
    return finished


def _write_records(finished: FinishedShard, shard: int, records: IO[bytes], summary: BuildSummary) -> bytes:
    """Appends the records of a shard to `records`, counts them, and returns its rows of the index."""
    rows = np.empty(len(finished.images), INDEX_DTYPE)
    for row, image in zip(rows, finished.images, strict=True):
        row["shard"], row["offset"], row["num_bytes"], row["record"] = (
            shard,
            image.offset,
            image.num_bytes,
            records.tell(),
        )
        records.write(encode_record(image.record) + b"\n")
        summary.count(image.record)
    return rows.tobytes()


def _index_header(num_images: int) -> bytes:
    """The header of `index.npy`."""
    file = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(INDEX_DTYPE), "fortran_order": False, "shape": (num_images,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()
