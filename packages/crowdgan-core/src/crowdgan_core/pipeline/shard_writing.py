"""One shard of a dataset: worker processes process its images and write it, complete or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import IO

import numpy as np

from crowdgan_core.datasets.metadata import ImageRecord, LabelKind
from crowdgan_core.datasets.shards.layout import ShardFile, encode_record, shard_name
from crowdgan_core.errors import DatasetError
from crowdgan_core.io import codec
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors, write_bytes
from crowdgan_core.io.digests import file_sha256
from crowdgan_core.io.resumable_job import check_visible
from crowdgan_core.pipeline.build_metadata import image_record
from crowdgan_core.pipeline.image_job import ImageJob, ProcessedImage, SkippedImage, process_image
from crowdgan_core.pipeline.skipping import SkipPolicy, check_size
from crowdgan_core.sources.base import AnnotatedImage


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """The images of one shard."""

    number: int
    """Number of the shard from 0."""

    first_image: int
    """Index of its first image in the source."""

    images: tuple[AnnotatedImage, ...]

    size: tuple[int, int] | None
    """`(height, width)` of the images of the dataset in pixels; None: the size of the first image."""

    def is_readable(self) -> bool:
        """Whether this process sees the images."""
        return all(image.is_readable() for image in self.images)

    def with_contents(self) -> ShardTask:
        """The task with the contents of the images."""
        return replace(self, images=tuple(image.with_contents() for image in self.images))


@dataclass(frozen=True, kw_only=True)
class StoredShardImage:
    """An image in a shard: the position of its PNG file, and its record."""

    offset: int
    num_bytes: int
    record: ImageRecord


@dataclass(frozen=True, kw_only=True)
class FinishedShard:
    """Description of a finished shard, which the working folder keeps."""

    digest: str
    """SHA-256 of the images' names and annotations, see `source_digest`."""

    num_read: int
    """Images read from the source."""

    file: ShardFile | None
    """The archive; None if all images were skipped."""

    size: tuple[int, int] | None
    """`(height, width)` of the images in pixels; None without images."""

    images: tuple[StoredShardImage, ...]

    skipped: tuple[SkippedImage, ...]


@dataclass(frozen=True, kw_only=True)
class ShardOutcome:
    """Result of one task."""

    num_read: int
    """Images read from the source."""

    num_images: int
    """Images in the shard."""

    size: tuple[int, int] | None
    """`(height, width)` of the images in pixels; None without images."""

    was_finished: bool
    """Whether the shard was complete before."""

    failed: SkippedImage | None = None
    """The image that stops the build; the shard is not written."""


@dataclass(frozen=True, kw_only=True)
class ShardWriter:
    """Writes shards; picklable, sent to the worker processes."""

    shards: Path
    """Folder of the shards."""

    finished: Path
    """Folder of the files that describe the finished shards."""

    job: ImageJob
    label_kind: LabelKind
    skip_policy: SkipPolicy
    plots: Path | None
    """Folder of density overlays."""

    def __call__(self, task: ShardTask) -> ShardOutcome:
        """Writes a shard, unless it is complete, its bytes are unchanged, and so are the images of the source.

        Raises:
            DatasetError: the shard cannot be written, or this process does not see the working folder.
            PluginError: an exception in a plugin's code, or an invalid result.
        """
        check_visible(
            self.finished,
            "workers write shards themselves, so choose a destination on a path that all of them share, or NAME.zip or "
            "NAME.h5",
        )
        digest = source_digest(task.images)
        finished = read_finished(self.finished, task.number)
        if finished is not None and self._is_valid(finished, digest):
            return _outcome(finished, was_finished=True)
        return self._write(task, digest)

    def _is_valid(self, finished: FinishedShard, digest: str) -> bool:
        """Whether writing the shard again would give the same bytes."""
        has_error = any(map(self.skip_policy.is_error, finished.skipped))
        return finished.digest == digest and not has_error and _is_intact(self.shards, finished.file)

    def _write(self, task: ShardTask, digest: str) -> ShardOutcome:
        path = self.shards / shard_name(task.number)
        contents = _Contents(size=task.size)
        try:
            with atomic_path(path, overwrite=True) as partial:
                with wrap_os_errors(path), partial.open("wb") as stream:
                    self._write_archive(stream, task, contents)
                num_bytes, sha256 = partial.stat().st_size, file_sha256(partial)
        except _FailedImageError as error:
            return ShardOutcome(num_read=0, num_images=0, size=None, was_finished=False, failed=error.image)
        file = None
        if contents.images:
            file = ShardFile(name=path.name, num_images=len(contents.images), num_bytes=num_bytes, sha256=sha256)
        else:
            path.unlink()
        finished = FinishedShard(
            digest=digest,
            num_read=len(task.images),
            file=file,
            size=contents.size if contents.images else None,
            images=tuple(contents.images),
            skipped=tuple(contents.skipped),
        )
        write_bytes(_finished_path(self.finished, task.number), _to_text(finished), overwrite=True)
        return _outcome(finished, was_finished=False)

    def _write_archive(self, file: IO[bytes], task: ShardTask, contents: _Contents) -> None:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for index, annotated in enumerate(task.images, task.first_image):
                outcome = process_image(self.job, annotated)
                if isinstance(outcome, ProcessedImage):
                    contents.size = contents.size or outcome.size
                    outcome = check_size(outcome, contents.size)
                if isinstance(outcome, ProcessedImage):
                    contents.images.append(self._add(archive, f"{index:08d}", outcome))
                elif self.skip_policy.is_error(outcome):
                    raise _FailedImageError(outcome)
                else:
                    contents.skipped.append(outcome)

    def _add(self, archive: tarfile.TarFile, key: str, image: ProcessedImage) -> StoredShardImage:
        """Adds an image and its record under the names `KEY.png` and `KEY.json`."""
        record = image_record(image, f"{key}.png", self.label_kind)
        offset = archive.offset + tarfile.BLOCKSIZE
        _add_file(archive, record.name, image.encoded)
        _add_file(archive, f"{key}.json", encode_record(record))
        image.write_plot(record.name, self.plots)
        return StoredShardImage(offset=offset, num_bytes=len(image.encoded), record=record)


@dataclass(kw_only=True)
class _Contents:
    """Images and skipped images of a shard that is being written."""

    size: tuple[int, int] | None
    images: list[StoredShardImage] = field(default_factory=list)
    skipped: list[SkippedImage] = field(default_factory=list)


class _FailedImageError(Exception):
    """An image stops the build."""

    def __init__(self, image: SkippedImage) -> None:
        super().__init__(image.reason)
        self.image = image


def _outcome(finished: FinishedShard, *, was_finished: bool) -> ShardOutcome:
    return ShardOutcome(
        num_read=finished.num_read, num_images=len(finished.images), size=finished.size, was_finished=was_finished
    )


def source_digest(images: Iterable[AnnotatedImage]) -> str:
    """SHA-256 of the names, annotations and records of images: hexadecimal digits."""
    digest = hashlib.sha256()
    for image in images:
        record = None if image.record is None else codec.to_json(image.record)
        digest.update(json.dumps([image.source_name, record]).encode())
        for item in fields(image.people):
            digest.update(np.ascontiguousarray(getattr(image.people, item.name)).tobytes())
    return digest.hexdigest()


def read_finished(folder: Path, number: int) -> FinishedShard | None:
    """The description of a finished shard; None if there is none, or it is not valid."""
    path = _finished_path(folder, number)
    try:
        data = codec.loads_strict(path.read_bytes())
        return codec.from_json(FinishedShard, data, str(path), DatasetError)
    except (OSError, ValueError, RecursionError, DatasetError):
        return None


def _finished_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.json"


def _to_text(finished: FinishedShard) -> bytes:
    return json.dumps(codec.to_json(finished), allow_nan=False).encode()


def _is_intact(shards: Path, file: ShardFile | None) -> bool:
    """Whether an archive has the stated size and SHA-256."""
    if file is None:
        return True
    path = shards / file.name
    try:
        return path.stat().st_size == file.num_bytes and file_sha256(path) == file.sha256
    except OSError:
        return False


def _add_file(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a file with fixed owner and time, so that equal images give equal archives."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
