"""Tables as files: CSV, JSON, Excel and Parquet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.excel_files import decode_excel, encode_excel
from crowdgan_core.io.text_files import TextFile, read_csv
from crowdgan_core.utils.tables import frame_of

FORMAT_NAMES = {".csv": "CSV", ".json": "JSON", ".xlsx": "Excel", ".parquet": "Parquet"}

TABLE_SUFFIXES = tuple(FORMAT_NAMES)

TABLES_EXTRA = "crowdgan-core[tables]"

PANDAS_TYPES: Mapping[type, str] = {bool: "boolean", int: "Int64", float: "float64", str: "string"}
"""Types of columns in Parquet files; all of them have a missing value."""

DECIMAL_COMMA = re.compile(r"(-?[0-9]+),([0-9]+(?:[eE][-+]?[0-9]+)?)")
"""A number with a decimal comma, as spreadsheet programs of many countries write it."""

Row = Mapping[str, str | int | float | bool | None]
"""Values by the name of their column."""


def check_table_path(path: Path) -> None:
    """Checks that a file name has the suffix of a table.

    Raises:
        ConfigError: another suffix.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise ConfigError(f"{path}: the file name must end in {', '.join(TABLE_SUFFIXES)}")


def write_table(
    rows: Sequence[Row], dest: Path, *, types: Mapping[str, type] = MappingProxyType({}), overwrite: bool = False
) -> None:
    """Writes rows with the same columns as a file, whose suffix selects the format.

    CSV has a header line, UTF-8 with a byte-order mark, which Excel needs, and empty cells for None. JSON is a list of
    objects. Columns of Parquet have one type each, with missing values.

    Args:
        rows: rows of the table.
        dest: file to write.
        types: `bool`, `int`, `float` or `str` by the name of the column, for columns without values in a Parquet file,
            which are texts otherwise.
        overwrite: whether an existing file is replaced.

    Raises:
        ConfigError: another suffix, or a package for Excel or Parquet is not installed.
        DatasetError: the file exists and `overwrite` is False, or it cannot be written.
    """
    check_table_path(dest)
    suffix = dest.suffix.lower()
    try:
        if suffix == ".parquet":
            data = _encode_parquet(rows, types)
        else:
            data = {".csv": _encode_csv, ".json": _encode_json, ".xlsx": encode_excel}[suffix](rows)
    except ImportError as error:
        raise _missing_package(dest, error) from error
    write_bytes(dest, data, overwrite=overwrite)


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a table that `write_table` wrote, also if a spreadsheet program saved it again.

    Empty cells are None. Other values of a CSV file are texts; its delimiter is a comma, semicolon or tab, and with the
    latter two, numbers may have a decimal comma, which is replaced by a point.

    Raises:
        ConfigError: another suffix, or a package for Excel or Parquet is not installed.
        DatasetError: the file cannot be read, or is not a table.
    """
    check_table_path(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    decode = {".json": _decode_json, ".xlsx": decode_excel, ".parquet": _decode_parquet}[suffix]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return decode(data)
    except ImportError as error:
        raise _missing_package(path, error) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not a valid {FORMAT_NAMES[suffix]} table ({error})") from error


def _missing_package(path: Path, error: ImportError) -> ConfigError:
    return ConfigError(f"{path}: needs {error.name}: pip install '{TABLES_EXTRA}'")


def _read_csv(path: Path) -> list[dict[str, Any]]:
    table = read_csv(TextFile.at(path))
    rows: list[dict[str, Any]] = []
    for number, cells in table.rows:
        if len(cells) != len(table.names):
            raise DatasetError(f"{path}:{number}: {len(cells)} cells; the header has {len(table.names)} columns")
        values = [DECIMAL_COMMA.sub(r"\1.\2", cell) if table.decimal_comma else cell for cell in cells]
        rows.append({name: value or None for name, value in zip(table.names, values, strict=True)})
    return rows


def _decode_json(data: bytes) -> list[dict[str, Any]]:
    rows: Any = loads_strict(data.decode("utf-8-sig"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it must be a list of objects")
    return rows


def _decode_parquet(data: bytes) -> list[dict[str, Any]]:
    parquet = import_module("pyarrow.parquet")
    try:
        rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(data)).to_pylist()
    except (OSError, NotImplementedError) as error:  # of damaged data; other errors are of type ValueError
        raise ValueError(str(error)) from error
    return rows


def _encode_csv(rows: Sequence[Row]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8-sig")


def _encode_json(rows: Sequence[Row]) -> bytes:
    return (json.dumps([dict(row) for row in rows], indent=2, ensure_ascii=False) + "\n").encode()


def _encode_parquet(rows: Sequence[Row], types: Mapping[str, type]) -> bytes:
    import_module("pyarrow")
    names = list(rows[0]) if rows else list(types)
    frame = frame_of({name: [row[name] for row in rows] for name in names})
    file = io.BytesIO()
    pandas_types = {name: PANDAS_TYPES[_column_type(rows, name) or types.get(name, str)] for name in names}
    frame.astype(pandas_types).to_parquet(file, index=False)
    return file.getvalue()


def _column_type(rows: Sequence[Row], name: str) -> type | None:
    """The type of the values of a column: float for integers and floats, str for other mixtures; None without any."""
    found = {type(value) for value in (row[name] for row in rows) if value is not None}
    if len(found) < 2:
        return next(iter(found), None)
    return float if found == {int, float} else str
