"""Files of a dataset in shards, and the description that ties them together.

    NAME.shards/
        000000.tar …    KEY.png and KEY.json of each image, one after the other
        shards.json     metadata of the dataset, size of the images, and size and SHA-256 of each shard
        index.npy       position of each image and of its record, `INDEX_DTYPE`
        records.jsonl   record of each image, one per line: the contents of the KEY.json

Everything but `shards.json` can be restored from the archives. Memory for reading is independent of the number of
images: the index is mapped into memory, and records are read when they are used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import DatasetError
from crowdgan_core.io import codec

SUFFIX = ".shards"
"""Suffix of the folder of a dataset."""

DESCRIPTION_NAME, INDEX_NAME, RECORDS_NAME = "shards.json", "index.npy", "records.jsonl"

FORMAT_VERSION = 1
"""Version of `shards.json`; other versions are an error."""

INDEX_DTYPE = np.dtype([("shard", "<u4"), ("offset", "<u8"), ("num_bytes", "<u4"), ("record", "<u8")])
"""Row of the index: number of the shard, offset and size of the PNG file in it, and offset in `records.jsonl`."""


def shard_name(number: int) -> str:
    """File name of a shard, for example `000123.tar`."""
    return f"{number:06d}.tar"


def encode_record(record: ImageRecord) -> bytes:
    """The JSON text of a record: the contents of its KEY.json, and its line of `records.jsonl`."""
    return json.dumps(codec.to_json(record), allow_nan=False).encode()


@dataclass(frozen=True, kw_only=True)
class ShardFile:
    """A shard as `shards.json` lists it."""

    name: str
    num_images: int
    num_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ShardsDescription:
    """Contents of `shards.json`."""

    metadata: DatasetMetadata
    """Metadata of the dataset without image records."""

    size: tuple[int, int]
    """`(height, width)` of all images in pixels."""

    records_bytes: int
    """Size of `records.jsonl`."""

    shards: tuple[ShardFile, ...]
    """All shards in order; one without images has no file, and is not listed."""

    @property
    def num_images(self) -> int:
        """Number of images of all shards."""
        return sum(shard.num_images for shard in self.shards)

    def to_text(self) -> str:
        """JSON text with one line per shard."""
        metadata = {key: value for key, value in self.metadata.to_json().items() if key != "pictures"}
        parts = {"format": FORMAT_VERSION, "crowdgan": metadata, "size": self.size, "records_bytes": self.records_bytes}
        values = [f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)},\n" for key, value in parts.items()]
        shards = ",\n".join(f"    {json.dumps(codec.to_json(shard))}" for shard in self.shards)
        return f'{{\n{"".join(values)}  "shards": [\n{shards}\n  ]\n}}\n'

    @classmethod
    def from_text(cls, text: bytes, where: str) -> ShardsDescription:
        """The description in a JSON text.

        Raises:
            DatasetError: the text is not valid JSON, not a description, or of a later version.
        """
        try:
            data: Any = codec.loads_strict(text)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{where}: not valid JSON ({error})") from error
        version = data.get("format") if isinstance(data, dict) else None
        if version != FORMAT_VERSION:
            raise DatasetError(f"{where}: format {version!r:.80}; this version reads format {FORMAT_VERSION}")
        values = {key: value for key, value in data.items() if key not in ("format", "crowdgan")}
        metadata = DatasetMetadata.from_json(data.get("crowdgan"), where)
        parts = codec.from_json(_Parts, values, where, DatasetError)
        return cls(metadata=metadata, **vars(parts))


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """The parts of `shards.json` besides format and metadata."""

    size: tuple[int, int]
    records_bytes: int
    shards: tuple[ShardFile, ...]
