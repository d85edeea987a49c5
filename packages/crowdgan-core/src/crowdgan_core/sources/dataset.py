"""Training datasets of crowdgan or the official tool as a source that keeps images and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from crowdgan_core.datasets.format_lookup import format_for, is_fallback, open_dataset
from crowdgan_core.datasets.protocols import DatasetFormat, DatasetReader
from crowdgan_core.datasets.zip_folder import find_dataset
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.archive import is_zip
from crowdgan_core.io.storage import open_store
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, single_path


class DatasetSource:
    """Reads one dataset of any installed format.

    Args:
        formats: returns the dataset formats; called for each path, since plugins are loaded later.
    """

    name = "dataset"
    description = "a training dataset with its labels (ZIP or folder with dataset.json, HDF5, shards)"
    is_fallback = False

    def __init__(self, formats: Callable[[], Iterable[DatasetFormat]]) -> None:
        self._formats = formats

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one path: of a dataset format, and a ZIP file or other folder only with `dataset.json`."""
        if annotations is not None or len(paths) != 1 or not paths[0].exists():
            return False
        try:
            if self.is_dataset_folder(paths):
                return True
            if paths[0].is_dir() or is_zip(paths[0]):
                return find_dataset(open_store(paths[0])) is not None
            format_for(paths[0], self._formats())
        except (ConfigError, DatasetError, OSError):
            return False
        return True

    def is_dataset_folder(self, paths: Sequence[Path]) -> bool:
        """Whether there is one path, a folder that a dataset format matches by its name; its files do not matter."""
        if len(paths) != 1 or not paths[0].is_dir():
            return False
        try:
            return not is_fallback(format_for(paths[0], self._formats()))
        except ConfigError:
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> DatasetSourceReader:
        """Opens the dataset."""
        path = single_path(self.name, paths, annotations)
        return DatasetSourceReader(open_dataset(path, self._formats()), path)


class DatasetSourceReader:
    """Reader of the images of an open dataset."""

    has_annotations = False
    problems: Sequence[SourceProblem] = ()

    def __init__(self, reader: DatasetReader, path: Path) -> None:
        self._reader = reader
        self._path = path
        self.metadata = reader.metadata.with_images([])

    def __len__(self) -> int:
        """Number of images."""
        return len(self._reader)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images with their metadata."""
        for index, record in enumerate(self._reader.metadata.images):
            try:
                image = self._reader.stored_image(index)
            except DatasetError as error:
                image = DamagedImage(f"{self._path}:{record.name}", str(error))
            yield AnnotatedImage(source_name=record.source or record.name, image=image, record=record)


@dataclass(frozen=True)
class DamagedImage:
    """Handle of an image that cannot be read; the error is deferred until it is opened."""

    where: str
    reason: str

    def open(self) -> Image.Image:
        """Raises the error.

        Raises:
            DatasetError: always, with the reason.
        """
        raise DatasetError(self.reason)
