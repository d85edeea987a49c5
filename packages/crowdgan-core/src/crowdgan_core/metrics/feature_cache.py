"""Image features on disk, so that the features of real images are computed once."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from pathlib import Path

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor
from crowdgan_core.utils.cache import cache_folder

CACHE_VERSION = 1
"""Version of the keys; a change makes all cached features unused."""

DIGEST_BYTES = hashlib.sha256().digest_size
"""Length of the checksum that follows the array in a file."""

logger = logging.getLogger(__name__)


class FeatureCache:
    """Features by content of the images and fingerprint of the extractor.

    A file is an array in NumPy's format, followed by its SHA-256; damaged files are ignored and written again. Files
    may be deleted at any time.

    Args:
        folder: folder of the files; None for `features` in the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_folder() / "features"

    def path(self, content_hash: str, extractor: FeatureExtractor) -> Path:
        """Path of the features of a set of images, whether or not it exists."""
        key = json.dumps([CACHE_VERSION, content_hash, extractor.name, extractor.fingerprint])
        return self.folder / f"{extractor.name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"

    def read(self, path: Path, num_images: int) -> FeatureArray | None:
        """Features `[num_images, num_features]`; None if there is no such file, or it is damaged."""
        try:
            data = path.read_bytes()
            features = _decode(data)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, MemoryError) as error:
            logger.warning("%s: the cached features are damaged and computed again (%s)", path, error)
            return None
        return features if len(features) == num_images else None

    def write(self, path: Path, features: FeatureArray) -> None:
        """Writes features; a folder that cannot be written is reported as a warning."""
        stream = io.BytesIO()
        np.lib.format.write_array(stream, features, allow_pickle=False)
        data = stream.getvalue()
        try:
            write_bytes(path, data + hashlib.sha256(data).digest(), overwrite=True)
        except DatasetError as error:
            logger.warning("features are not cached: %s", error)


def _decode(data: bytes) -> FeatureArray:
    """The array of a cached file.

    Raises:
        ValueError: the checksum or the type is wrong.
    """
    content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("wrong checksum")
    features: FeatureArray = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if features.ndim != 2 or features.dtype != np.float32:
        raise ValueError(f"{features.dtype} array of shape {list(features.shape)}")
    return features
