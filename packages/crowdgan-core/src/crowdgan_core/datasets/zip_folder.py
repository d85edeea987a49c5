"""The ZIP and folder formats: PNG files and `dataset.json`, readable by the official StyleGAN3 data loader."""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord, Label
from crowdgan_core.datasets.protocols import DatasetReader, DatasetWriter
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import FIXED_TIMESTAMP
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.io.codec import from_json, loads_strict
from crowdgan_core.io.images import encode_png_uncompressed, read_size
from crowdgan_core.io.names import canonical_name, is_system_file
from crowdgan_core.io.storage import Store, is_image_name, open_store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.formatting import join_limited

INDEX_NAME = "dataset.json"
"""Name of the file with labels and metadata."""

DOCUMENT_SUFFIXES = ("", ".html", ".md", ".pdf", ".rst", ".txt")
"""Suffixes of files next to the folder of a dataset that do not belong to it, such as README and LICENSE."""

MAX_INDEX_BYTES = 2 * 2**30
"""Maximum size of `dataset.json` in bytes, sufficient for about 10 million images."""

MAX_CLASSES = 100_000
"""Maximum number of classes: five times that of ImageNet-21k; higher class indices are invalid."""


class ZipFormat:
    """A ZIP archive of PNG files; neither the PNG files nor the archive are compressed."""

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
        """Creates an archive."""
        with atomic_path(dest, overwrite=overwrite) as partial:
            with wrap_os_errors(dest):
                archive = zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED)
            try:
                yield _ZipWriter(archive, dest)
            except BaseException:
                _close_after_error(archive)
                raise
            with wrap_os_errors(dest):
                archive.close()

    def open(self, path: Path) -> ZipFolderReader:
        """Opens an archive of crowdgan or the official tool for reading."""
        return ZipFolderReader(open_store(path))


class FolderFormat:
    """A folder of PNG files with the same structure as the archive."""

    name = "folder"
    suffixes = "a folder NAME"

    def matches(self, path: Path) -> bool:
        """Whether the path is a folder, or does not exist and has no suffix; another format that matches is used."""
        return path.is_dir() or (not path.exists() and not path.suffix)

    def encode(self, pixels: ImageArray) -> bytes:
        """The image as an uncompressed PNG file."""
        return encode_png_uncompressed(pixels)

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
        """Creates a folder."""
        _check_only_dataset(dest)
        with atomic_path(dest, overwrite=overwrite) as partial:
            with wrap_os_errors(dest):
                partial.mkdir()
            yield _FolderWriter(partial, dest)

    def open(self, path: Path) -> ZipFolderReader:
        """Opens a folder of crowdgan or the official tool for reading."""
        return ZipFolderReader(open_store(path))


class _ZipFolderWriter(ABC):
    def __init__(self, dest: Path) -> None:
        self._dest = dest
        self._count = 0

    def add(self, encoded: bytes, size: tuple[int, int], record: ImageRecord) -> str:
        """Appends one PNG file, named by its index as in the official tool."""
        name = f"{self._count // 1000:05d}/img{self._count:08d}.png"
        with wrap_os_errors(self._dest):
            self._write(name, encoded)
        self._count += 1
        return name

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes `dataset.json`."""
        has_labels = metadata.label_kind is not None
        labels = [[record.name, record.label] for record in metadata.images] if has_labels else None
        index = json.dumps({"labels": labels, "crowdgan": metadata.to_json()}, allow_nan=False)
        with wrap_os_errors(self._dest):
            self._write(INDEX_NAME, index.encode())

    @abstractmethod
    def _write(self, name: str, data: bytes) -> None:
        """Writes one file of the dataset."""


class _ZipWriter(_ZipFolderWriter):
    def __init__(self, archive: zipfile.ZipFile, dest: Path) -> None:
        super().__init__(dest)
        self._archive = archive

    def _write(self, name: str, data: bytes) -> None:
        self._archive.writestr(zipfile.ZipInfo(name, FIXED_TIMESTAMP), data)


class _FolderWriter(_ZipFolderWriter):
    def __init__(self, folder: Path, dest: Path) -> None:
        super().__init__(dest)
        self._folder = folder

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


class ZipFolderReader(DatasetReader):
    """Reader of a ZIP archive or folder of images with a `dataset.json`, which may be in a single top folder."""

    def __init__(self, store: Store) -> None:
        self.path = store.path
        found = _find_dataset(store)
        if found is None:
            raise DatasetError(_missing_index(store))
        self._store, names = found
        nested = nested_datasets(names)
        names = [name for name in names if not name.startswith(nested)]
        self._stored_names = {canonical_name(name): name for name in names if is_image_name(name)}
        index, where = _read_index(self._store), self._store.where(INDEX_NAME)
        self.metadata = _metadata(index, names, self._stored_names, where)

    def stored_image(self, index: int) -> StoredImage:
        """Handle of one image in its file."""
        return self._store.image(self._stored_name(index))

    def image_size(self, index: int) -> tuple[int, int]:
        """`(height, width)` of one image in pixels, from its header."""
        name = self._stored_name(index)
        with self._store.open(name) as file:
            return read_size(file, self._store.where(name))

    def _stored_name(self, index: int) -> str:
        """Name of an image in its store, which may differ in bytes from the name in the metadata."""
        return self._stored_names[canonical_name(self.metadata.images[index].name)]


def _check_only_dataset(dest: Path) -> None:
    """Checks that an existing folder contains no files other than those of a dataset, before it is overwritten.

    Raises:
        DatasetError: the folder contains other files.
    """
    if not dest.is_dir():
        return
    for path in sorted(dest.iterdir()):
        is_part = path.name == INDEX_NAME or (path.is_dir() and path.name.isdigit())
        if not is_part and not is_system_file(path.name):
            problem = f"contains {path.name!r}, which is not part of a dataset"
            raise DatasetError(f"{dest}: {problem}; choose another destination")


def find_dataset(store: Store) -> Store | None:
    """The folder with the `dataset.json`: the store itself, or the single top folder in it; None if there is none.

    Documents next to the top folder, such as a README, are ignored.
    """
    found = _find_dataset(store)
    return None if found is None else found[0]


def _find_dataset(store: Store) -> tuple[Store, list[str]] | None:
    """The store of `find_dataset`, and the names of its files."""
    names = store.names()
    while INDEX_NAME not in names:
        names = [name for name in names if "/" in name or Path(name).suffix.lower() not in DOCUMENT_SUFFIXES]
        top_names = {name.partition("/")[0] for name in names}
        if len(top_names) != 1:
            return None
        top_name = top_names.pop()
        store = store.subfolder(top_name)
        names = [name.partition("/")[2] for name in names]
    return store, names


def nested_datasets(names: Iterable[str]) -> tuple[str, ...]:
    """Prefixes of the names in subfolders that are datasets, each with a slash at the end."""
    return tuple(name.removesuffix(INDEX_NAME) for name in names if name.endswith(f"/{INDEX_NAME}"))


def has_labels(store: Store) -> bool:
    """Whether a folder or archive has a valid `dataset.json` with labels."""
    try:
        return _read_index(store).get("labels") is not None
    except DatasetError:
        return False


def _missing_index(store: Store) -> str:
    """The error message for a folder or archive that is not a dataset."""
    message = f"{store.path}: not a dataset: {INDEX_NAME} is missing"
    folders = nested_datasets(store.names())
    return f"{message}; choose one of its folders {join_limited(folders, 3)}" if folders else message


def _read_index(store: Store) -> dict[str, Any]:
    where = store.where(INDEX_NAME)
    with store.open(INDEX_NAME) as file:
        text = file.read(MAX_INDEX_BYTES + 1)
    if len(text) > MAX_INDEX_BYTES:
        raise DatasetError(f"{where}: larger than the maximum of {MAX_INDEX_BYTES} bytes")
    try:
        index = loads_strict(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(index, dict):
        raise DatasetError(f"{where}: contains {type(index).__name__}; it must be a JSON object")
    return index


def _metadata(index: dict[str, Any], names: list[str], stored_names: Container[str], where: str) -> DatasetMetadata:
    """The metadata of a crowdgan dataset; for a dataset of the official tool, metadata derived from its labels."""
    if index.get("crowdgan") is None:
        return _official_metadata(index.get("labels"), names, where)
    metadata = DatasetMetadata.from_json(index["crowdgan"], where)
    missing = [record.name for record in metadata.images if canonical_name(record.name) not in stored_names]
    if missing:
        raise DatasetError(f"{where}: missing images: {len(missing)}, the first is {min(missing)}")
    return metadata


def _official_metadata(labels: object, names: list[str], where: str) -> DatasetMetadata:
    images = [name for name in names if is_image_name(name)]
    if labels is None:
        return DatasetMetadata(images=tuple(ImageRecord(name=name) for name in images))
    if not isinstance(labels, list) or not all(isinstance(item, list) and len(item) == 2 for item in labels):
        raise DatasetError(f"{where}: labels must be null or a list of [name, label]")
    from_json(tuple[tuple[str, Label | None], ...], labels, f"{where}.labels", DatasetError)
    by_name = {canonical_name(name): label for name, label in labels}
    unsupported = [name for name in names if not is_image_name(name) and canonical_name(name) in by_name]
    if unsupported:
        problem = f"labels of files that are not images in a supported format: {len(unsupported)}"
        raise DatasetError(f"{where}: {problem}, the first is {unsupported[0]}")
    values = [{"name": name, "label": by_name.get(canonical_name(name))} for name in images]
    records = from_json(tuple[ImageRecord, ...], values, f"{where}.labels", DatasetError)
    unlabelled = [record.name for record in records if record.label is None]
    if unlabelled:
        raise DatasetError(f"{where}: images without a label: {len(unlabelled)}, the first is {unlabelled[0]}")
    types = {type(record.label) for record in records}
    if len(types) > 1:
        raise DatasetError(f"{where}: labels are class indices and vectors; all labels must have the same type")
    if tuple in types:
        lengths = {len(record.label) for record in records if isinstance(record.label, tuple)}
        if len(lengths) > 1:
            range_text = f"labels have {min(lengths)} to {max(lengths)} numbers"
            raise DatasetError(f"{where}: {range_text}; all labels must have the same length")
        return DatasetMetadata(label_kind="value", images=records)
    num_classes = 1 + max((record.label for record in records if isinstance(record.label, int)), default=-1)
    if num_classes > MAX_CLASSES:
        raise DatasetError(f"{where}: a label is {num_classes - 1}; it must be below {MAX_CLASSES}")
    return DatasetMetadata(label_kind="class", classes=tuple(map(str, range(num_classes))), images=records)


def _close_after_error(archive: zipfile.ZipFile) -> None:
    """Closes an archive after a write error and ignores further errors, since its file is removed."""
    try:
        archive.close()
    except OSError:
        if archive.fp is not None:
            archive.fp.close()
