"""Datasets, ours and the official tool's, as a source: their pictures and labels are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from crowdgan_core.archive import is_zip
from crowdgan_core.dataset import DatasetReader
from crowdgan_core.datasets import format_of, open_dataset
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.formats.tree import has_index
from crowdgan_core.sources import Annotated, Problem
from crowdgan_core.storage import open_store


class DatasetSource:
    """Reads one dataset in any of the installed formats."""

    name = "dataset"
    description = "a training dataset with its labels (zip or folder with dataset.json, HDF5)"
    general = False

    def fits(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one path, and a format other than plain files has its name, or it holds a dataset.json."""
        if annotations is not None or len(paths) != 1:
            return False
        try:
            if paths[0].is_dir() or is_zip(paths[0]):
                return has_index(open_store(paths[0]))
            format_of(paths[0])
        except (ConfigError, DatasetError, OSError):
            return False
        return True

    def open(self, paths: Sequence[Path], annotations: Path | None) -> DatasetPictures:
        """Opens the dataset."""
        return DatasetPictures(open_dataset(paths[0]), paths[0])


class DatasetPictures:
    """The pictures of an open dataset."""

    annotated = False
    problems: Sequence[Problem] = ()

    def __init__(self, reader: DatasetReader, path: Path) -> None:
        self._reader = reader
        self._path = path
        self.metadata = reader.metadata.with_pictures([])

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._reader)

    def __iter__(self) -> Iterator[Annotated]:
        """The pictures with what the dataset says of them."""
        for index, record in enumerate(self._reader.metadata.pictures):
            try:
                picture = self._reader.picture(index)
            except DatasetError as error:
                picture = DamagedPicture(f"{self._path}:{record.name}", str(error))
            yield Annotated(source_name=record.source or record.name, picture=picture, record=record)


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
