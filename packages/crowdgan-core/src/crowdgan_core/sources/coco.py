"""COCO: a JSON file with images, annotations and categories, with its images.

People are the annotations of categories with a name such as `person`. The box of a person becomes the full box. The
boxes of the COCO dataset enclose the visible part only; those of annotation tools are as drawn.

Source: Lin et al., Microsoft COCO: Common Objects in Context, 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.text_files import TextFile
from crowdgan_core.sources.annotation_files.collected import CollectedAnnotations, CollectedReader, match_collected
from crowdgan_core.sources.annotation_files.locating import LocatedFiles, locate_files
from crowdgan_core.sources.annotation_files.row_kinds import RowKind, kind_of_class
from crowdgan_core.sources.annotation_files.table_detection import JSON_SUFFIX, is_coco
from crowdgan_core.sources.annotation_files.table_rows import json_number, shown_value
from crowdgan_core.utils.formatting import join_limited


class CocoSource:
    """Reads a COCO file and its images."""

    name = "coco"
    is_fallback = False
    description = "COCO: images with a JSON file of person boxes (instances or person keypoints)"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether a COCO file is given, or the paths contain one."""
        try:
            located = _locate(paths, annotations)
            return bool(located.files) and all(_is_coco_file(file) for file in located.files)
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> CollectedReader:
        """Reads the annotations; damaged entries, invalid boxes and unmatched images become problems.

        Raises:
            ConfigError: there are several COCO files.
            DatasetError: there is none, or it cannot be read or has another structure.
        """
        located = _locate(paths, annotations)
        if not located.files:
            raise DatasetError(f"{paths[0]}: contains no COCO file; set the file with --annotations FILE")
        if len(located.files) > 1:
            names = join_limited((file.name for file in located.files), 5)
            raise ConfigError(f"{paths[0]}: several COCO files: {names}; choose one with --annotations FILE")
        return match_collected([read_coco(file) for file in located.files], located.stores)


def read_coco(file: TextFile) -> CollectedAnnotations:
    """The people in a COCO file.

    An image without an annotation of a person has no people. Annotations with `iscrowd` are ignore regions.

    Raises:
        DatasetError: the file cannot be read, or a list or the category of people is missing.
    """
    content = file.json()
    images, annotations, categories = (
        _entries(content, key, file.where) for key in ("images", "annotations", "categories")
    )
    # numbers below the number of images locate images, those above it annotations
    collected = CollectedAnnotations(
        lambda number: (
            f"{file.where}: images[{number}]"
            if number < len(images)
            else f"{file.where}: annotations[{number - len(images)}]"
        )
    )
    names = _add_images(images, collected)
    classes = {key: str(entry.get("name")) for entry in categories if (key := _id(entry, "id")) is not None}
    if RowKind.PERSON not in map(kind_of_class, classes.values()):
        found = join_limited(classes.values(), 10) or "none"
        raise DatasetError(f"{file.where}: no category of people; found {found}; one must be named person")
    for number, entry in enumerate(annotations, len(images)):
        _add_annotation(number, entry, names, classes, collected)
    collected.finish()
    return collected


def _add_images(images: Sequence[dict[str, Any]], collected: CollectedAnnotations) -> dict[str, str]:
    """Adds all images; returns their names by ID."""
    names: dict[str, str] = {}
    keys: dict[str, str] = {}  # by name
    for number, entry in enumerate(images):
        key, name = _id(entry, "id"), entry.get("file_name")
        if key is None:
            collected.add_damage(number, f"id is {shown_value(entry.get('id'))}; it must be a number or text")
        elif not isinstance(name, str) or not name:
            collected.add_damage(number, f"file_name is {shown_value(name)}; it must be the name of the image")
        elif key in names:
            collected.add_damage(number, f"id {key} is repeated", name, names[key])
        elif name in keys:
            collected.add_damage(number, f"file_name {shown_value(name)} is repeated, with other id {keys[name]}", name)
            names[key] = name
        else:
            names[key], keys[name] = name, key
            collected.add_image(name, number)
    return names


def _add_annotation(
    number: int,
    entry: dict[str, Any],
    names: dict[str, str],
    classes: dict[str, str],
    collected: CollectedAnnotations,
) -> None:
    """Adds one annotation: a person, an ignore region, damage; or counts that of another category."""
    image, category = _id(entry, "image_id"), _id(entry, "category_id")
    name = None if image is None else names.get(image)
    if name is None:
        collected.add_damage(number, f"image_id is {shown_value(entry.get('image_id'))}; no image has this ID")
        return
    if category not in classes:
        shown = shown_value(entry.get("category_id"))
        collected.add_damage(number, f"category_id is {shown}; no category has this ID", name)
        return
    kind = kind_of_class(classes[category])
    if kind is None:
        collected.dropped_rows[classes[category]] += 1
        return
    box = entry.get("bbox")
    try:
        if not isinstance(box, list) or len(box) != 4 or None in box:
            raise ValueError("not four numbers")
        box_xywh = [pixels for value in box if (pixels := json_number(value)) is not None]
    except ValueError:
        message = f"bbox is {shown_value(box)}; it must be four numbers x, y, width, height"
        collected.add_damage(number, message, name)
        return
    if kind is RowKind.PERSON and entry.get("iscrowd"):
        kind = RowKind.IGNORE_REGION
    collected.add_row(name, number, kind, full=box_xywh)


def _locate(paths: Sequence[Path], annotations: Path | None) -> LocatedFiles:
    return locate_files(paths, annotations, (JSON_SUFFIX,), is_coco)


def _is_coco_file(file: TextFile) -> bool:
    return Path(file.name).suffix.lower() == JSON_SUFFIX and is_coco(file)


def _entries(content: Any, key: str, where: str) -> list[dict[str, Any]]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DatasetError(f"{where}: {key} is missing or invalid; it must be a list of JSON objects")
    return entries


def _id(entry: dict[str, Any], key: str) -> str | None:
    """An ID, compared as text: some tools write numbers in one list and texts in another."""
    value = entry.get(key)
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
