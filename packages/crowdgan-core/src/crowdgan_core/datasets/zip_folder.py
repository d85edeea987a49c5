"""A tree of PNG files with a `dataset.json`, in a zip archive or a folder: what the official StyleGAN3 loader reads."""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord, label_from_json
from crowdgan_core.datasets.protocols import DatasetWriter
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import FIXED_TIME
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.images import encode_png_uncompressed, to_upright_rgb
from crowdgan_core.io.storage import Store, is_image_name, open_store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.utils.arrays import ImageArray

INDEX_NAME = "dataset.json"
"""File that holds labels and metadata."""

MAX_INDEX_BYTES = 2 * 2**30
"""Size above which a `dataset.json` is refused: some 10 million images."""

MAX_CLASSES = 100_000
"""Class numbers from here on are damage: five times the number of classes in ImageNet-21k."""


class ZipFormat:
    """A zip archive of PNG files, neither PNG nor archive compressed."""

    name = "zip"
    suffixes = "NAME.zip"

    def matches(self, path: Path) -> bool:
        """Whether the path ends in .zip."""
        return path.suffix.lower() == ".zip" and not path.is_dir()

    def encode(self, pixels: ImageArray) -> bytes:
        """The image as an uncompressed PNG file."""
        return encode_png_uncompressed(pixels)

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
        """A writer for a new archive."""
        with atomic_path(dest, overwrite=overwrite) as partial:
            with wrap_os_errors(dest):
                archive = zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED)
            try:
                yield _ZipWriter(archive, dest)
            except BaseException:
                _abandon(archive)
                raise
            with wrap_os_errors(dest):
                archive.close()

    def open(self, path: Path) -> TreeReader:
        """A reader for an archive, the official tool's too."""
        return TreeReader(open_store(path))


class FolderFormat:
    """The same tree of PNG files in a folder."""

    name = "folder"
    suffixes = "a name without suffix"

    def matches(self, path: Path) -> bool:
        """Whether the path is a folder, or does not exist and has no suffix."""
        return path.is_dir() or (not path.exists() and not path.suffix)

    def encode(self, pixels: ImageArray) -> bytes:
        """The image as an uncompressed PNG file."""
        return encode_png_uncompressed(pixels)

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
        """A writer for a new folder."""
        _refuse_foreign(dest)
        with atomic_path(dest, overwrite=overwrite) as partial:
            with wrap_os_errors(dest):
                partial.mkdir()
            yield _FolderWriter(partial, dest)

    def open(self, path: Path) -> TreeReader:
        """A reader for a folder, the official tool's too."""
        return TreeReader(open_store(path))


class _TreeWriter(ABC):
    def __init__(self, dest: Path) -> None:
        self._dest = dest
        self._count = 0

    def add(self, encoded: bytes, size: tuple[int, int]) -> str:
        """Adds one PNG file under the official tool's name for its place."""
        name = f"{self._count // 1000:05d}/img{self._count:08d}.png"
        with wrap_os_errors(self._dest):
            self._write(name, encoded)
        self._count += 1
        return name

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes `dataset.json`."""
        labelled = metadata.label_kind is not None
        labels = [[record.name, record.label] for record in metadata.images] if labelled else None
        index = json.dumps({"labels": labels, "crowdgan": metadata.to_json()}, allow_nan=False)
        with wrap_os_errors(self._dest):
            self._write(INDEX_NAME, index.encode())

    @abstractmethod
    def _write(self, name: str, data: bytes) -> None:
        """Writes one file of the tree."""


class _ZipWriter(_TreeWriter):
    def __init__(self, archive: zipfile.ZipFile, dest: Path) -> None:
        super().__init__(dest)
        self._archive = archive

    def _write(self, name: str, data: bytes) -> None:
        self._archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), data)


class _FolderWriter(_TreeWriter):
    def __init__(self, folder: Path, dest: Path) -> None:
        super().__init__(dest)
        self._folder = folder

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


class TreeReader:
    """An open zip archive or folder of images with a `dataset.json`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        names = store.names()
        if INDEX_NAME not in names:
            raise DatasetError(f"{store.path}: it has no {INDEX_NAME}, so it is no dataset")
        images = [name for name in names if is_image_name(name)]
        self.metadata = _metadata(_read_index(store), images, store.where(INDEX_NAME))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.metadata.images)

    def image(self, index: int) -> ImageArray:
        """Pixels of one image, `[height, width, 3]` uint8."""
        image = self.stored_image(index)
        return np.asarray(to_upright_rgb(image.open(), image.where))

    def stored_image(self, index: int) -> StoredImage:
        """One image, which stays in its file."""
        return self._store.image(self.metadata.images[index].name)

    def close(self) -> None:
        """Nothing stays open."""


def _refuse_foreign(dest: Path) -> None:
    """Checks that a folder that may be overwritten holds a dataset and nothing else.

    Raises:
        DatasetError: something else is in it.
    """
    if not dest.is_dir():
        return
    for path in sorted(dest.iterdir()):
        if path.name != INDEX_NAME and not (path.is_dir() and path.name.isdigit()):
            raise DatasetError(f"{dest}: it holds {path.name!r}, which no dataset does; choose another destination")


def has_index(store: Store) -> bool:
    """Whether a folder or archive holds a `dataset.json`."""
    return INDEX_NAME in store.names()


def _read_index(store: Store) -> dict[str, Any]:
    where = store.where(INDEX_NAME)
    with store.open(INDEX_NAME) as file:
        text = file.read(MAX_INDEX_BYTES + 1)
    if len(text) > MAX_INDEX_BYTES:
        raise DatasetError(f"{where}: more than {MAX_INDEX_BYTES} bytes")
    try:
        index = loads_strict(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(index, dict):
        raise DatasetError(f"{where}: it holds {type(index).__name__}; it must be a JSON object")
    return index


def _metadata(index: dict[str, Any], names: list[str], where: str) -> DatasetMetadata:
    """The metadata record of our own datasets, or what can be said of one by the official tool."""
    if index.get("crowdgan") is None:
        return _official_metadata(index.get("labels"), names, where)
    metadata = DatasetMetadata.from_json(index["crowdgan"], where)
    missing = {record.name for record in metadata.images} - set(names)
    if missing:
        raise DatasetError(f"{where}: {len(missing)} images are missing, first {min(missing)}")
    return metadata


def _official_metadata(labels: object, names: list[str], where: str) -> DatasetMetadata:
    if labels is None:
        return DatasetMetadata(images=tuple(ImageRecord(name=name) for name in names))
    if not isinstance(labels, list) or not all(isinstance(item, list) and len(item) == 2 for item in labels):
        raise DatasetError(f"{where}: labels must be null or a list of [name, label]")
    by_name = {str(name).replace("\\", "/"): label_from_json(label, where) for name, label in labels}
    records = tuple(ImageRecord(name=name, label=by_name.get(name)) for name in names)
    unlabelled = [record.name for record in records if record.label is None]
    if unlabelled:
        raise DatasetError(f"{where}: {len(unlabelled)} images have no label, first {unlabelled[0]}")
    kinds = {type(record.label) for record in records}
    if len(kinds) > 1:
        raise DatasetError(f"{where}: some labels are class numbers and some are vectors")
    if tuple in kinds:
        lengths = {len(record.label) for record in records if isinstance(record.label, tuple)}
        if len(lengths) > 1:
            raise DatasetError(f"{where}: labels have {min(lengths)} to {max(lengths)} numbers; all must have as many")
        return DatasetMetadata(label_kind="value", images=records)
    count = 1 + max((record.label for record in records if isinstance(record.label, int)), default=-1)
    if count > MAX_CLASSES:
        raise DatasetError(f"{where}: a label is {count - 1}; it must be below {MAX_CLASSES}")
    return DatasetMetadata(label_kind="class", classes=tuple(map(str, range(count))), images=records)


def _abandon(archive: zipfile.ZipFile) -> None:
    """Closes an archive that is given up, also where closing fails as writing did: its file is removed anyway."""
    try:
        archive.close()
    except OSError:
        if archive.fp is not None:
            archive.fp.close()
