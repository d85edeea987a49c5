"""Reader of datasets in shards."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from crowdgan_core.datasets.metadata import ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.datasets.shards.layout import (
    DESCRIPTION_NAME,
    INDEX_DTYPE,
    INDEX_NAME,
    RECORDS_NAME,
    ShardsDescription,
)
from crowdgan_core.errors import DatasetError
from crowdgan_core.io import codec
from crowdgan_core.io.stored_images import FileRange


class ShardsReader(DatasetReader):
    """An open dataset in shards.

    Args:
        path: folder of the dataset.

    Raises:
        DatasetError: a file is missing or damaged, or the index does not fit the shards.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        where = path / DESCRIPTION_NAME
        self._description = ShardsDescription.from_text(_read(where), str(where))
        self._check_shards()
        self._index = self._open_index()
        records = StoredRecords(path / RECORDS_NAME, self._index, self._description)
        self.metadata = replace(self._description.metadata, images=records)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._index)

    def stored_image(self, index: int) -> FileRange:
        """Handle of one image in its shard."""
        shard, offset, num_bytes, _ = self._index[index].tolist()
        name = self.metadata.images[index].name
        return FileRange(self.path / self._description.shards[shard].name, offset, num_bytes, name)

    def image_size(self, _index: int) -> tuple[int, int]:
        """`(height, width)` of the images in pixels, which is the same for all."""
        return self._description.size

    def _check_shards(self) -> None:
        """Checks that all shards exist and have the stated sizes."""
        for shard in self._description.shards:
            path = self.path / shard.name
            if Path(shard.name).name != shard.name:
                raise DatasetError(f"{self.path / DESCRIPTION_NAME}: shard {shard.name!r} is outside the dataset")
            try:
                num_bytes = path.stat().st_size
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
            if num_bytes != shard.num_bytes:
                raise DatasetError(f"{path}: damaged: {num_bytes} bytes instead of {shard.num_bytes}")

    def _open_index(self) -> Any:
        """The index, mapped into memory."""
        path = self.path / INDEX_NAME
        try:
            index = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise DatasetError(f"{path}: no such file") from None
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(f"{path}: damaged index ({error})") from error
        count = self._description.num_images
        if index.dtype != INDEX_DTYPE or index.shape != (count,):
            found = f"{index.dtype} {list(index.shape)}"
            raise DatasetError(f"{path}: damaged index: found {found:.80}, and the shards have {count} images")
        sizes = np.array([shard.num_bytes for shard in self._description.shards], np.uint64)
        if count and (index["shard"].max() >= len(sizes) or np.any(_ends(index) > sizes[index["shard"]])):
            raise DatasetError(f"{path}: damaged index: it points outside the shards")
        return index


class StoredRecords(Sequence[ImageRecord]):
    """The image records of a dataset, read from `records.jsonl` when they are used.

    Args:
        path: path of the file.
        index: index of the dataset, `INDEX_DTYPE`.
        description: description of the dataset.

    Raises:
        DatasetError: the file is missing or has another size; also raised when a damaged record is used.
    """

    def __init__(self, path: Path, index: Any, description: ShardsDescription) -> None:
        self._path = path
        self._index = index
        self._metadata = description.metadata
        try:
            num_bytes = path.stat().st_size
            if num_bytes != description.records_bytes:
                raise DatasetError(f"{path}: damaged: {num_bytes} bytes instead of {description.records_bytes}")
            with path.open("rb") as file:
                self._text: mmap.mmap | bytes = (
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if num_bytes else b""
                )
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
        if len(index) and index["record"].max() >= num_bytes:
            raise DatasetError(f"{path}: damaged: the index points outside the file")

    def __len__(self) -> int:
        """Number of records."""
        return len(self._index)

    @overload
    def __getitem__(self, item: int) -> ImageRecord: ...

    @overload
    def __getitem__(self, item: slice) -> tuple[ImageRecord, ...]: ...

    def __getitem__(self, item: int | slice) -> ImageRecord | tuple[ImageRecord, ...]:
        """One record, or several as a tuple."""
        if isinstance(item, slice):
            return tuple(self[index] for index in range(*item.indices(len(self))))
        index = range(len(self))[item]
        start = int(self._index["record"][index])
        end = self._text.find(b"\n", start)
        return self._record(self._text[start : end if end >= 0 else None], index)

    def __repr__(self) -> str:
        """For example `StoredRecords(1000000 records)`."""
        return f"StoredRecords({len(self)} records)"

    def _record(self, line: bytes, index: int) -> ImageRecord:
        where = f"{self._path}:{index + 1}"
        try:
            data = codec.loads_strict(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{where}: not valid JSON ({error})") from error
        record = codec.from_json(ImageRecord, data, where, DatasetError)
        self._metadata.check_label(record, where)
        return record


def _ends(index: Any) -> Any:
    return index["offset"] + index["num_bytes"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path.parent}: not a dataset: {path.name} is missing") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
