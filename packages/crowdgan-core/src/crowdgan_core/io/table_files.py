"""Tables as files: CSV, JSON, Excel and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.utils.tables import frame_of

TABLE_SUFFIXES = (".csv", ".json", ".xlsx", ".parquet")

READABLE_SUFFIXES = (".csv", ".json")

TABLES_EXTRA = "crowdgan-core[tables]"

Row = Mapping[str, str | int | float | bool | None]
"""Values by the name of their column."""


def check_table_path(dest: Path) -> None:
    """Checks that a file name has the suffix of a table.

    Raises:
        ConfigError: another suffix.
    """
    if dest.suffix.lower() not in TABLE_SUFFIXES:
        raise ConfigError(f"{dest}: the file name must end in {', '.join(TABLE_SUFFIXES)}")


def write_table(rows: Sequence[Row], dest: Path, *, overwrite: bool = False) -> None:
    """Writes rows with the same columns as a file, whose suffix selects the format.

    CSV has a header line, UTF-8 with a byte-order mark, which Excel needs, and empty cells for None. JSON is a list of
    objects.

    Raises:
        ConfigError: another suffix, or a package for Excel or Parquet is not installed.
        DatasetError: the file exists and `overwrite` is False, or it cannot be written.
    """
    check_table_path(dest)
    encode = {".csv": _encode_csv, ".json": _encode_json, ".xlsx": _encode_excel, ".parquet": _encode_parquet}
    try:
        data = encode[dest.suffix.lower()](rows)
    except ImportError as error:
        raise ConfigError(f"{dest}: needs {error.name}: pip install '{TABLES_EXTRA}'") from error
    write_bytes(dest, data, overwrite=overwrite)


def read_table(path: Path) -> list[dict[str, str | int | float | bool | None]]:
    """The rows of a CSV or JSON table that `write_table` wrote; values of a CSV file are texts, or None if empty.

    Raises:
        ConfigError: another suffix.
        DatasetError: the file cannot be read, or is not a table.
    """
    if path.suffix.lower() not in READABLE_SUFFIXES:
        raise ConfigError(f"{path}: the table must be a file {' or '.join(READABLE_SUFFIXES)}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows: Any = loads_strict(text) if path.suffix.lower() == ".json" else _decode_csv(text)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError, csv.Error) as error:
        raise DatasetError(f"{path}: not a valid {path.suffix[1:].upper()} table ({error})") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{path}: not a table; it must be a list of objects")
    return rows


def _decode_csv(text: str) -> list[dict[str, str | None]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} has another number of cells than the header")
        rows.append({name: value or None for name, value in row.items()})
    return rows


def _encode_csv(rows: Sequence[Row]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8-sig")


def _encode_json(rows: Sequence[Row]) -> bytes:
    return (json.dumps([dict(row) for row in rows], indent=2, ensure_ascii=False) + "\n").encode()


def _encode_excel(rows: Sequence[Row]) -> bytes:
    import_module("openpyxl")  # which pandas needs, and reports less clearly
    file = io.BytesIO()
    frame_of([dict(row) for row in rows]).to_excel(file, index=False, freeze_panes=(1, 1))
    return file.getvalue()


def _encode_parquet(rows: Sequence[Row]) -> bytes:
    import_module("pyarrow")
    file = io.BytesIO()
    frame_of([dict(row) for row in rows]).to_parquet(file, index=False)
    return file.getvalue()
