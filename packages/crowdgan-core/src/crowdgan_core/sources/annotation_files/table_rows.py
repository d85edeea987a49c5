"""Values of one row of a table: numbers, boxes, flags and classes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from crowdgan_core.sources.annotation_files.collected import CollectedAnnotations
from crowdgan_core.sources.annotation_files.columns import BoxColumns, TableColumns
from crowdgan_core.sources.annotation_files.row_kinds import RowKind, ignore_row, kind_of_class

MAX_VALUE_CHARACTERS = 40
"""Maximum length of an invalid value in an error message."""

FLAGS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
"""Values of the ignore flag, in lower case."""

ParseNumber = Callable[[Any], float | None]
"""Converts a value; None if it is empty.

Raises:
    ValueError: it is not a number.
"""


class RowParser:
    """Adds the rows of a table to collected annotations."""

    def __init__(self, columns: TableColumns, collected: CollectedAnnotations, parse: ParseNumber) -> None:
        self._columns = columns
        self._collected = collected
        self._parse = parse

    def add(self, number: int, image: Any, values: Sequence[Any]) -> None:
        """Adds a row: a person, an ignore region, an image without people, or damage."""
        name = image.strip() if isinstance(image, str) else str(image) if isinstance(image, int) else None
        if not name:
            self._collected.add_damage(number, f"the image is {shown_value(image)}; it must be the name of an image")
            return
        try:
            boxes = [self._box(columns, values) for columns in (self._columns.full, self._columns.visible)]
            head = self._box(self._columns.head, values)
            kind = self._kind(values)
        except ValueError as error:
            self._collected.add_damage(number, str(error), name)
            return
        if kind is None or (head is None and boxes == [None, None]):
            self._collected.add_image(name, number)
        else:
            self._collected.add_row(name, number, kind, full=boxes[0], visible=boxes[1], head=head)

    def _box(self, columns: BoxColumns | None, values: Sequence[Any]) -> tuple[float, float, float, float] | None:
        """The box of a row; None if all its cells are empty."""
        if columns is None:
            return None
        numbers = []
        for position in columns.positions:
            try:
                numbers.append(self._parse(values[position]))
            except ValueError:
                raise ValueError(
                    f"{self._columns.names[position].strip()} is {shown_value(values[position])}; it must be a number"
                ) from None
        if all(number is None for number in numbers):
            return None
        if None in numbers:
            position = columns.positions[numbers.index(None)]
            raise ValueError(f"{self._columns.names[position].strip()} is empty; a box needs all its columns, or none")
        return columns.box([number for number in numbers if number is not None])

    def _kind(self, values: Sequence[Any]) -> RowKind | None:
        """The kind of a row; None, counted, for other objects than people."""
        kind: RowKind | None = RowKind.PERSON
        if self._columns.class_name is not None:
            value = values[self._columns.class_name]
            text = value.strip() if isinstance(value, str) else value
            if text not in ("", None):
                if not isinstance(text, str) or text.replace(".", "").isdigit():
                    raise ValueError(
                        f"the class is {shown_value(value)}; it must be a name such as person, not a number"
                    )
                kind = kind_of_class(text, are_heads=self._columns.full is None)
                if kind is None:
                    self._collected.dropped_rows[text[:MAX_VALUE_CHARACTERS]] += 1
        if kind is not None and self._columns.ignore is not None:
            value = values[self._columns.ignore]
            flag = FLAGS.get("" if value is None else str(value).strip().lower())
            if flag is None:
                raise ValueError(f"the ignore flag is {shown_value(value)}; it must be 0 or 1")
            kind = ignore_row(kind) if flag else kind
        return kind


def text_number(text: str) -> float | None:
    """The number in a cell; None if it is empty.

    Raises:
        ValueError: it is not a number.
    """
    text = text.strip()
    if "_" in text:  # which Python accepts between digits
        raise ValueError(f"{text} is not a number")
    return float(text) if text else None


def decimal_comma_number(text: str) -> float | None:
    """The number in a cell, with a decimal point or comma; None if it is empty.

    Raises:
        ValueError: it is not a number.
    """
    return text_number(text.replace(",", "."))


def json_number(value: object) -> float | None:
    """A JSON number; None for null, infinity for an integer above the largest float.

    Raises:
        ValueError: another type.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{type(value).__name__} is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def shown_value(value: object) -> str:
    """A value for a message, shortened."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"
