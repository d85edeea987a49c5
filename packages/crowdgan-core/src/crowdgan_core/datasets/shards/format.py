"""The format of datasets in shards, which `crowdgan_core.pipeline.sharded_build` writes."""

from __future__ import annotations

from pathlib import Path

from crowdgan_core.datasets.shards.layout import SUFFIX
from crowdgan_core.datasets.shards.reader import ShardsReader
from crowdgan_core.io.images import encode_png_uncompressed
from crowdgan_core.utils.arrays import ImageArray


class ShardsFormat:
    """A folder of tar archives with an index."""

    name = "shards"
    suffixes = f"NAME{SUFFIX}"

    def matches(self, path: Path) -> bool:
        """Whether the path ends in .shards."""
        return path.suffix.lower() == SUFFIX

    def encode(self, pixels: ImageArray) -> bytes:
        """The image as an uncompressed PNG file."""
        return encode_png_uncompressed(pixels)

    def open(self, path: Path) -> ShardsReader:
        """Opens a folder for reading."""
        return ShardsReader(path)
