"""LSUN as an LMDB database, as read by the official dataset tool. Requires the extra `crowdgan-core[lsun]`.

Source: Yu et al., LSUN: Construction of a Large-scale Image Dataset using Deep Learning, 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.stored_images import EncodedImage
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, single_path

if TYPE_CHECKING:
    import lmdb

DATABASE_NAME = "data.mdb"


class LsunSource:
    """Reads one LSUN category."""

    name = "lsun"
    description = "a folder like bedroom_train_lmdb with data.mdb"
    is_fallback = False

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one path, a folder that contains data.mdb."""
        return len(paths) == 1 and (paths[0] / DATABASE_NAME).is_file()

    def open(self, paths: Sequence[Path], annotations: Path | None) -> LsunReader:
        """Opens the database."""
        return LsunReader(single_path(self.name, paths, annotations))


class LsunReader:
    """Reader of the images of an LMDB database, in key order."""

    has_annotations = False
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata()

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as database:
            self._count = int(database.stat()["entries"])

    def __len__(self) -> int:
        """Number of images."""
        return self._count

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images, which have no labels."""
        with self._open() as database, database.begin(write=False) as transaction:
            for key, value in transaction.cursor():
                name = bytes(key).decode("ascii", "replace")
                yield AnnotatedImage(source_name=name, image=EncodedImage(bytes(value), f"{self._path}:{name}"))

    @contextmanager
    def _open(self) -> Iterator[lmdb.Environment]:
        """The database, open while it is read, since a process cannot open it twice.

        Raises:
            ConfigError: lmdb is not installed.
            DatasetError: the database is damaged.
        """
        try:
            import lmdb
        except ImportError as error:
            raise ConfigError(
                f"{self._path}: lmdb is not installed; run pip install 'crowdgan-core[lsun]' to read LSUN"
            ) from error
        try:
            with lmdb.open(str(self._path), readonly=True, lock=False, readahead=False) as database:
                yield database
        except lmdb.Error as error:
            raise DatasetError(f"{self._path / DATABASE_NAME}: damaged database ({error})") from error
