"""LSUN in its LMDB form: what the official dataset tool reads. Needs the extra `crowdgan-core[lsun]`.

Source: Yu et al., LSUN: Construction of a Large-scale Image Dataset using Deep Learning, 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.stored_images import EncodedImage
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem

if TYPE_CHECKING:
    import lmdb

DATA_FILE = "data.mdb"


class LsunSource:
    """Reads one LSUN category."""

    name = "lsun"
    description = "a folder like bedroom_train_lmdb with data.mdb"
    is_fallback = False

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one folder with a data.mdb inside."""
        return len(paths) == 1 and (paths[0] / DATA_FILE).is_file()

    def open(self, paths: Sequence[Path], annotations: Path | None) -> LsunReader:
        """Opens the database."""
        return LsunReader(paths[0])


class LsunReader:
    """The images of an LMDB database, in the order of its keys."""

    has_annotations = False
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata()

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            import lmdb
        except ImportError as error:
            raise ConfigError(f"{path}: reading LSUN needs lmdb: pip install 'crowdgan-core[lsun]'") from error
        self._error: type[Exception] = lmdb.Error
        try:
            self._database: lmdb.Environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False)
            self._count = int(self._database.stat()["entries"])
        except lmdb.Error as error:
            raise DatasetError(f"{path / DATA_FILE}: damaged database ({error})") from error

    def __len__(self) -> int:
        """Number of images."""
        return self._count

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """The images, without labels."""
        try:
            with self._database.begin(write=False) as transaction:
                for key, value in transaction.cursor():
                    name = bytes(key).decode("ascii", "replace")
                    yield AnnotatedImage(source_name=name, image=EncodedImage(bytes(value), f"{self._path}:{name}"))
        except self._error as error:
            raise DatasetError(f"{self._path / DATA_FILE}: damaged database ({error})") from error
