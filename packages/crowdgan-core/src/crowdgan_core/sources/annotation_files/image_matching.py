"""Assignment of images to the names in annotation files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import Store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.sources.base import SourceProblem
from crowdgan_core.sources.listing import list_files


@dataclass
class ImageMatches:
    """Images by the canonical ID in the annotations, and images and IDs that do not match."""

    images: dict[str, StoredImage] = field(default_factory=dict)
    """Image of each matched ID."""

    ids_without_image: list[str] = field(default_factory=list)
    images_without_annotation: list[str] = field(default_factory=list)
    repeated_images: list[str] = field(default_factory=list)
    unsupported_images: list[str] = field(default_factory=list)

    def errors(self) -> list[SourceProblem]:
        """Unmatched or repeated images and annotations."""
        return list_problems(
            {
                "annotations without an image": self.ids_without_image,
                "images without an annotation": self.images_without_annotation,
                "images with a repeated name": self.repeated_images,
            }
        )

    def counted(self) -> list[SourceProblem]:
        """Images in unsupported formats, for the summary."""
        return list_problems({"image files in unsupported formats": self.unsupported_images}, is_error=False)


def list_problems(names_by_reason: Mapping[str, Sequence[str]], *, is_error: bool = True) -> list[SourceProblem]:
    """The problems of all reasons with names."""
    return [
        SourceProblem(reason=reason, names=names, is_error=is_error)
        for reason, names in names_by_reason.items()
        if names
    ]


def match_images(image_ids: Collection[str], stores: Sequence[Store]) -> ImageMatches:
    """Assigns images to canonical IDs that are the end of their path, with or without suffix.

    If several stores contain an image, the first is used: a ZIP archive may be next to its unpacked files.
    """
    matches = ImageMatches()
    store_of_id: dict[str, Store] = {}
    for store in stores:
        listing = list_files(store)
        matches.unsupported_images += [store.where(name) for name in listing.unsupported_images]
        for name in listing.images:
            image_id = next((candidate for candidate in _candidate_ids(name) if candidate in image_ids), None)
            if image_id is None:
                matches.images_without_annotation.append(store.where(name))
                continue
            image = store.image(name)
            assigned = matches.images.setdefault(image_id, image)
            if assigned != image and store_of_id[image_id] is store:
                matches.repeated_images.append(f"{image.where}, not used because of {assigned.where}")
            store_of_id.setdefault(image_id, store)
    matches.ids_without_image += [image_id for image_id in image_ids if image_id not in matches.images]
    return matches


def _candidate_ids(name: str) -> Iterator[str]:
    """Canonical image IDs for a path: it and its ends, from the longest to the file name, with and without suffix."""
    parts = canonical_name(name).split("/")
    for start in range(len(parts)):
        path = PurePosixPath(*parts[start:])
        yield str(path)
        yield str(path.with_suffix(""))
