"""Damaged and malicious MNIST files."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.sources.mnist import MnistSource
from tests.integration.fuzz.tools import Pipeline, mutate_bytes, source_opener


def idx_bytes(array: np.ndarray, magic: int) -> bytes:
    """An uncompressed IDX file."""
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.astype(np.uint8).tobytes()


def test_mutated_mnist_files_are_refused_or_read(tmp_path: Path, pipeline: Pipeline) -> None:
    rng = random.Random(22)
    images, labels = tmp_path / "t-images-idx3-ubyte.gz", tmp_path / "t-labels-idx1-ubyte.gz"
    valid_images = idx_bytes(np.arange(2 * 28 * 28).reshape(2, 28, 28), 0x803)
    valid_labels = idx_bytes(np.array([3, 4]), 0x801)
    for case in range(500):
        parts = [valid_images, valid_labels]
        index = rng.randrange(2)
        if case % 2:  # mutate before compression, otherwise after it
            parts[index] = mutate_bytes(parts[index], rng)
        compressed = [gzip.compress(part, 1) for part in parts]
        if not case % 2:
            compressed[index] = mutate_bytes(compressed[index], rng)
        images.write_bytes(compressed[0])
        labels.write_bytes(compressed[1])
        pipeline.run(source_opener(MnistSource(), images), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


SHAPES_WITHOUT_PIXELS = [(0, 28, 28), (0, 2**32 - 1, 2**32 - 1), (2, 0, 0), (2, 0, 2**32 - 1), (2**32 - 1, 0, 0)]


@pytest.mark.parametrize("shape", SHAPES_WITHOUT_PIXELS)
def test_an_mnist_file_without_pixels_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    images, labels = tmp_path / "t-images-idx3-ubyte.gz", tmp_path / "t-labels-idx1-ubyte.gz"
    images.write_bytes(gzip.compress(struct.pack(">4I", 0x803, *shape)))
    labels.write_bytes(gzip.compress(idx_bytes(np.zeros(min(shape[0], 2)), 0x801)))
    with pytest.raises(DatasetError, match=r"t-images-idx3-ubyte\.gz: "):
        MnistSource().open([images], None)
