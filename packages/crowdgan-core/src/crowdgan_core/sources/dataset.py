"""Datasets, ours and the official tool's, as a source: their pictures and labels are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from crowdgan_core.dataset import DatasetReader
from crowdgan_core.errors import DatasetError
from crowdgan_core.formats.hdf5 import Hdf5Format
from crowdgan_core.formats.tree import ZipFormat, has_index
from crowdgan_core.pictures import ArrayPicture
from crowdgan_core.sources import Annotated, Picture, Problem
from crowdgan_core.storage import open_store


class DatasetSource:
    """Reads one dataset in any of the built-in formats."""

    name = "dataset"
    description = "a training dataset with its labels (zip or folder with dataset.json, HDF5)"
    general = False

    def fits(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one path and it is an HDF5 file or holds a dataset.json."""
        if annotations is not None or len(paths) != 1:
            return False
        try:
            return Hdf5Format().fits(paths[0]) or has_index(open_store(paths[0]))
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> DatasetPictures:
        """Opens the dataset."""
        hdf5 = Hdf5Format()
        reader: DatasetReader = hdf5.open(paths[0]) if hdf5.fits(paths[0]) else ZipFormat().open(paths[0])
        return DatasetPictures(reader, paths[0])


class DatasetPictures:
    """The pictures of an open dataset."""

    annotated = False
    problems: Sequence[Problem] = ()

    def __init__(self, reader: DatasetReader, path: Path) -> None:
        self._reader = reader
        self._path = path
        self.classes = reader.metadata.classes

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._reader)

    def __iter__(self) -> Iterator[Annotated]:
        """The pictures with their labels."""
        for index, record in enumerate(self._reader.metadata.pictures):
            where = f"{self._path}:{record.name}"
            try:
                picture: Picture = ArrayPicture(self._reader.image(index), where)
            except DatasetError as error:
                picture = DamagedPicture(where, str(error))
            yield Annotated(source_name=record.source or record.name, picture=picture, label=record.label)


@dataclass(frozen=True)
class DamagedPicture:
    """A picture that cannot be read; whoever opens it decides whether to skip it."""

    where: str
    reason: str

    def open(self) -> Image.Image:
        """Never a picture.

        Raises:
            DatasetError: always, with the reason.
        """
        raise DatasetError(self.reason)
