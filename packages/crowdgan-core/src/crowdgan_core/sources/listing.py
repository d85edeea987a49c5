"""The files of a folder or archive, by what a source can do with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from crowdgan_core.datasets.zip_folder import nested_datasets
from crowdgan_core.io.storage import Store, is_image_name, is_unsupported_image_name
from crowdgan_core.sources.base import SourceProblem


@dataclass
class FileListing:
    """Names of the files of a store, without hidden and system files."""

    images: list[str] = field(default_factory=list)
    """Images in supported formats."""
    unsupported_images: list[str] = field(default_factory=list)
    dataset_images: list[str] = field(default_factory=list)
    """Images of training datasets in subfolders, which are usually made from the other images."""
    other_files: list[str] = field(default_factory=list)

    def __iadd__(self, other: FileListing) -> FileListing:
        """Appends the names of another listing."""
        self.images += other.images
        self.unsupported_images += other.unsupported_images
        self.dataset_images += other.dataset_images
        self.other_files += other.other_files
        return self

    def unused_files(self) -> Iterator[SourceProblem]:
        """Files that are not images of the source, for the summary."""
        names_by_reason = {
            "image files in unsupported formats": self.unsupported_images,
            "images of datasets in subfolders": self.dataset_images,
            "files that are not images": self.other_files,
        }
        for reason, names in names_by_reason.items():
            if names:
                yield SourceProblem(reason=reason, names=names, is_error=False)


def list_files(store: Store) -> FileListing:
    """The files of a store."""
    names = store.names()
    datasets = nested_datasets(names)
    listing = FileListing()
    for name in names:
        if name.startswith(datasets):
            if is_image_name(name):
                listing.dataset_images.append(name)
        elif is_image_name(name):
            listing.images.append(name)
        elif is_unsupported_image_name(name):
            listing.unsupported_images.append(name)
        else:
            listing.other_files.append(name)
    return listing
