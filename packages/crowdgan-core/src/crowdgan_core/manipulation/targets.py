"""Images to project: a file, a folder, a ZIP file or a dataset, cropped and resized as the training images were."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.images import IMAGE_SUFFIXES, to_upright_rgb
from crowdgan_core.io.stored_images import ImageFile, StoredImage
from crowdgan_core.models.card import TRANSFORM_KEY, ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, one_hot
from crowdgan_core.scenes.transform import TRANSFORMS, ImageTransform, TransformName
from crowdgan_core.sources.base import SceneSource
from crowdgan_core.sources.detection import open_source
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import format_size, parse_size

DEFAULT_TRANSFORM: TransformName = "center-crop"
"""Crop of models whose card does not state one."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One image to project."""

    name: str
    """Name of its output folder."""

    image: StoredImage

    label: LabelVector | None = None
    """Label in the dataset, if it is a label of the model; None if it is unknown."""

    def pixels(self, transform: ImageTransform) -> ImageArray:
        """The cropped and resized image, `[height, width, 3]`.

        Raises:
            DatasetError: the image is missing, damaged or too small.
        """
        image = to_upright_rgb(self.image.open(), self.image.where)
        return transform.pixels(image, transform.geometry((image.height, image.width)))


def find_targets(path: Path, card: ModelCard, sources: Mapping[str, SceneSource]) -> list[Target]:
    """The images at a path, each with another name.

    Args:
        path: image, folder, ZIP file or dataset.
        card: card of the model.
        sources: installed sources by name.

    Raises:
        ConfigError: no source matches the path.
        DatasetError: it does not exist, is damaged, or contains no images.
    """
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return [Target(name=path.stem, image=ImageFile(path))]
    source, _ = open_source([path], None, None, sources)
    targets: dict[str, Target] = {}
    for item in source:
        name = unused_name(PurePosixPath(item.source_name).stem, targets)
        targets[name] = Target(name=name, image=item.image, label=known_label(item.record, source.metadata, card))
    return list(targets.values())


def known_label(record: ImageRecord | None, metadata: DatasetMetadata, card: ModelCard) -> LabelVector | None:
    """The label of an image of a dataset, if the model has the same classes or the same unit; otherwise None."""
    if record is None or record.label is None or metadata.label_kind != card.label_kind:
        return None
    if isinstance(record.label, int):
        return one_hot(card, record.label) if metadata.classes == card.classes else None
    return record.label if len(record.label) == card.label_dim and metadata.unit == card.unit else None


def unused_name(stem: str, used: Mapping[str, object]) -> str:
    """The name, with a number if it is in use."""
    name, number = stem, 2
    while name in used:
        name, number = f"{stem}-{number}", number + 1
    return name


def training_transform(card: ModelCard, name: TransformName | None = None) -> ImageTransform:
    """The transform of a model's training images, as its card states it; otherwise `DEFAULT_TRANSFORM`.

    Args:
        card: the model card.
        name: another transform than that of the training images.

    Raises:
        ConfigError: the transform does not give images of the model's size.
    """
    words = str(card.provenance.get(TRANSFORM_KEY, "")).rpartition("then ")[2].split()
    stated = next((item for item in TRANSFORMS if words[:1] == [item]), None)
    name = name or stated or DEFAULT_TRANSFORM
    is_stated = name == stated and len(words) > 1
    transform = ImageTransform(name=name, size=parse_size(words[1]) if is_stated else card.resolution)
    height, width = card.resolution
    if transform.geometry((100 * height, 100 * width)).canvas_size != card.resolution:
        raise ConfigError(f"{transform} does not give images of {format_size(card.resolution)} px; choose another crop")
    return transform


def content_hash(pixels: ImageArray) -> str:
    """SHA-256 of the pixels in hexadecimal."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()
