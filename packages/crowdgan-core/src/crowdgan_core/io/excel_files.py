"""Excel files of tables: with a frozen header, widths of columns and number formats."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

MAX_WIDTH = 60
"""Maximum width of a column in characters; longer texts are wrapped."""

MARGIN = 3
"""Width of the filter button in a header, in characters."""

TEXT_FORMAT, INTEGER_FORMAT, FLOAT_FORMAT, SMALL_FLOAT_FORMAT = "General", "0", "0.00", "0.000"
"""Number formats; the last one is that of columns whose values are all below 1."""


def encode_excel(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """An Excel file with the rows of a table, below a frozen header with filters.

    Texts are never formulas, whatever their first character. Characters that Excel does not allow are replaced.

    Raises:
        ImportError: openpyxl is not installed.
    """
    openpyxl = import_module("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    names = list(rows[0]) if rows else []
    for number, name in enumerate(names, 1):
        _write_column(sheet, number, name, [row[name] for row in rows])
    if names:
        sheet.freeze_panes = "B2"
        sheet.auto_filter.ref = sheet.dimensions
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def decode_excel(data: bytes) -> list[dict[str, Any]]:
    """The rows of the first sheet of an Excel file below its header; empty cells are None, empty rows are skipped.

    Raises:
        ImportError: openpyxl is not installed.
        ValueError: not an Excel file, or columns without a name or with equal names.
    """
    openpyxl = import_module("openpyxl")
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        lines = list(book.worksheets[0].iter_rows(values_only=True))
    except Exception as error:  # openpyxl documents no exceptions of damaged files
        raise ValueError(f"{type(error).__name__}: {error}") from error
    names = ["" if name is None else str(name) for name in lines[0]] if lines else []
    if "" in names or len(set(names)) < len(names):
        raise ValueError("the first row must have a different name for each column")
    rows = (line[: len(names)] for line in lines[1:] if any(value is not None for value in line))
    return [dict(zip(names, [*row, *[None] * (len(names) - len(row))], strict=True)) for row in rows]


def _write_column(sheet: Any, number: int, name: str, values: Sequence[Any]) -> None:
    illegal = import_module("openpyxl.cell.cell").ILLEGAL_CHARACTERS_RE
    styles = import_module("openpyxl.styles")
    number_format = _number_format(values)
    header = sheet.cell(1, number, name)
    header.font, header.alignment = styles.Font(bold=True), styles.Alignment(horizontal="left", vertical="top")
    width = len(name) + MARGIN
    for row, value in enumerate(values, 2):
        if value is None:
            continue
        cell = sheet.cell(row, number)
        cell.number_format = number_format
        if isinstance(value, str):
            cell.value = illegal.sub("\N{REPLACEMENT CHARACTER}", value)
            cell.data_type = "s"
            cell.alignment = styles.Alignment(vertical="top", wrap_text=len(value) > MAX_WIDTH)
            width = max(width, len(value) + 1)
        else:
            cell.value = value
            cell.alignment = styles.Alignment(vertical="top")
    sheet.column_dimensions[header.column_letter].width = min(width, MAX_WIDTH)


def _number_format(values: Sequence[Any]) -> str:
    """The format of a column; numbers have 15 digits in the file whatever it is."""
    numbers = [value for value in values if isinstance(value, (int, float))]
    if not numbers:
        return TEXT_FORMAT
    if not any(isinstance(value, float) for value in numbers):
        return INTEGER_FORMAT
    return FLOAT_FORMAT if max(map(abs, numbers)) >= 1 else SMALL_FLOAT_FORMAT
