"""Images without annotations, in a folder or a ZIP archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.zip_folder import INDEX_NAME, has_labels
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import is_zip
from crowdgan_core.io.storage import Store, open_store
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, reject_annotations
from crowdgan_core.sources.listing import FileListing, list_files
from crowdgan_core.utils.formatting import count_and_list


class FolderReader:
    """Reader of all images in folders or archives, including subfolders, sorted by name."""

    metadata = DatasetMetadata()
    has_annotations = False

    def __init__(self, paths: Sequence[Path]) -> None:
        self._images: list[tuple[Store, str]] = []
        files, lost_labels = FileListing(), []
        for store in map(open_store, paths):
            listing = list_files(store)
            self._images += [(store, name) for name in listing.images]
            files += listing
            if INDEX_NAME in listing.other_files and has_labels(store):
                lost_labels.append(store.where(INDEX_NAME))
        self.problems = list(files.unused_files())
        if not self._images:
            found = "; ".join(count_and_list(problem.reason, problem.names) for problem in self.problems)
            raise DatasetError(f"{paths[0]}: contains no images{f'; found {found}' if found else ''}")
        if lost_labels:
            reason = "labels that only --source-kind dataset keeps, for one --source at a time"
            self.problems.append(SourceProblem(reason=reason, names=lost_labels))

    def __len__(self) -> int:
        """Number of images."""
        return len(self._images)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images, which have no annotations and labels."""
        for store, name in self._images:
            yield AnnotatedImage(source_name=name, image=store.image(name))


class FolderSource:
    """Reads all images of a folder and its subfolders."""

    name = "folder"
    description = "a folder of images"
    is_fallback = True

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether all paths are folders and no annotations are given."""
        return annotations is None and all(path.is_dir() for path in paths)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> FolderReader:
        """Lists the images."""
        reject_annotations(self.name, annotations)
        return FolderReader(paths)


class ZipSource:
    """Reads all images of a ZIP archive."""

    name = "zip"
    description = "a ZIP archive of images"
    is_fallback = True

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether all paths are ZIP archives and no annotations are given."""
        return annotations is None and all(is_zip(path) for path in paths)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> FolderReader:
        """Lists the images."""
        reject_annotations(self.name, annotations)
        return FolderReader(paths)
