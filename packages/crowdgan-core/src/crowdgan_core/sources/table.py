"""Tables of people: a CSV or JSON file with one row per person, with boxes or head points.

The columns are detected by their names (`columns`). Rows of one image need not follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.text_files import TextFile, read_csv
from crowdgan_core.sources.annotation_files.collected import CollectedAnnotations, CollectedReader, match_collected
from crowdgan_core.sources.annotation_files.columns import find_columns
from crowdgan_core.sources.annotation_files.locating import locate_files
from crowdgan_core.sources.annotation_files.table_detection import JSON_SUFFIX, TABLE_SUFFIXES, is_coco, is_table
from crowdgan_core.sources.annotation_files.table_rows import (
    RowParser,
    decimal_comma_number,
    json_number,
    text_number,
)


class TableSource:
    """Reads a CSV or JSON table of people and its images."""

    name = "table"
    is_fallback = False
    description = "a CSV or JSON file with one row per person (box or head point), with its images"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether a table is given, or the paths contain one with known columns; JSON in COCO format is none."""
        try:
            located = locate_files(paths, annotations, TABLE_SUFFIXES, is_table)
            if not located.are_named:
                return bool(located.files)
            return all(Path(file.name).suffix.lower() in TABLE_SUFFIXES and not is_coco(file) for file in located.files)
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> CollectedReader:
        """Reads the tables; damaged rows, invalid boxes and unmatched images become problems.

        Raises:
            DatasetError: there is no table, or it cannot be read, is empty, or its columns are not valid.
        """
        located = locate_files(paths, annotations, TABLE_SUFFIXES, is_table)
        if not located.files:
            raise DatasetError(
                f"{paths[0]}: contains no CSV or JSON file with columns of images and of boxes or head points; "
                "set the file with --annotations FILE"
            )
        return match_collected([read_table(file) for file in located.files], located.stores)


def read_table(file: TextFile) -> CollectedAnnotations:
    """All rows of a table.

    Raises:
        DatasetError: the file cannot be read or is empty, or its columns are not valid.
    """
    if Path(file.name).suffix.lower() == JSON_SUFFIX:
        return _read_json(file)
    return _read_csv(file)


def _read_csv(file: TextFile) -> CollectedAnnotations:
    table = read_csv(file)
    columns = find_columns(table.names, f"{file.where}:1")
    collected = CollectedAnnotations(lambda number: f"{file.where}:{number}")
    parse = decimal_comma_number if table.decimal_comma else text_number
    rows = RowParser(columns, collected, parse)
    assert columns.image is not None
    for number, cells in table.rows:
        if len(cells) == len(table.names):
            rows.add(number, cells[columns.image], cells)
        else:
            image = cells[columns.image] if columns.image < len(cells) else None
            collected.add_damage(number, f"{len(cells)} cells; the header has {len(table.names)} columns", image)
    collected.finish()
    return collected


def _read_json(file: TextFile) -> CollectedAnnotations:
    content = file.json()
    entries = _json_rows(content, file.where)
    objects = [row for _, _, row in entries if isinstance(row, dict)]
    if not objects:
        raise DatasetError(
            f"{file.where}: no rows; a table is a list of JSON objects, or an object of image names and such lists"
        )
    names = list(dict.fromkeys(name for row in objects for name in row))
    columns = find_columns(names, file.where, needs_image=isinstance(content, list))
    collected = CollectedAnnotations(lambda number: f"{file.where}{entries[number][0]}")
    rows = RowParser(columns, collected, json_number)
    for number, (_, image, row) in enumerate(entries):
        if image is not None and row is None:
            collected.add_image(image, number)
        elif not isinstance(row, dict):
            collected.add_damage(number, f"the row is {type(row).__name__}; it must be a JSON object", image)
        else:
            values = [row.get(name) for name in names]
            rows.add(number, values[columns.image] if columns.image is not None else image, values)
    collected.finish()
    return collected


def _json_rows(content: Any, where: str) -> list[tuple[str, str | None, Any]]:
    """Location in the file, image, and content of each row.

    The image is None for the rows of a list, and the content None for an image without people in an object.
    """
    if isinstance(content, list):
        return [(f"[{index}]", None, row) for index, row in enumerate(content)]
    entries: list[tuple[str, str | None, Any]] = []
    for image, rows in content.items() if isinstance(content, dict) else ():
        if not isinstance(rows, list):
            raise DatasetError(
                f"{where}: {image} is {type(rows).__name__}; it must be the list of the image's people, which may be "
                "empty"
            )
        entries += [(f": {image}[{index}]", image, row) for index, row in enumerate(rows)]
        if not rows:
            entries.append((f": {image}", image, None))
    return entries
