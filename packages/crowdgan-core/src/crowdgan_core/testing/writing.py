"""Datasets of given images, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import SequentialFormat
from crowdgan_core.utils.arrays import ImageArray


def write_dataset(
    dataset_format: SequentialFormat,
    dest: Path,
    images: Iterable[ImageArray],
    metadata: DatasetMetadata,
    *,
    overwrite: bool = False,
) -> DatasetMetadata:
    """Writes a dataset, and returns its metadata with the names of the images in it.

    Args:
        dataset_format: the format.
        dest: path of the dataset.
        images: the images, `[height, width, 3]` uint8.
        metadata: metadata with one record per image, for example
            `DatasetMetadata(images=[ImageRecord(name="")] * len(images))`; the names in the records are not used.
        overwrite: whether an existing dataset is replaced.

    Raises:
        ValueError: the numbers of images and records differ.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    images = list(images)
    if len(images) != len(metadata.images):
        counts = f"{len(images)} images and {len(metadata.images)} records"
        raise ValueError(f"{counts} in metadata.images; there must be one record per image")
    with dataset_format.create(dest, overwrite=overwrite) as writer:
        records = []
        for pixels, record in zip(images, metadata.images, strict=True):
            height, width, _ = pixels.shape
            name = writer.add(dataset_format.encode(pixels), (height, width), replace(record, name=""))
            records.append(replace(record, name=name))
        written = metadata.with_images(records)
        writer.finish(written)
    return written
