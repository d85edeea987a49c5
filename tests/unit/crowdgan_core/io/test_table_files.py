"""Tables as CSV, JSON, Excel and Parquet files."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.table_files import check_table_path, read_table, write_table

ROWS: list[dict[str, Any]] = [
    {"image": "a, 1", "density": 0.1 + 0.2, "people": 3, "known": True, "reason": None},
    {"image": "Straße", "density": None, "people": 0, "known": False, "reason": 'no "people"'},
]


def test_csv_has_exact_numbers_and_empty_cells(tmp_path: Path) -> None:
    write_table(ROWS, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes().startswith(b"\xef\xbb\xbf"), "the mark by which Excel detects UTF-8"
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["image"], float(first["density"]), first["known"], first["reason"]) == ("a, 1", 0.1 + 0.2, "True", "")
    assert (second["image"], second["density"], second["reason"]) == ("Straße", "", 'no "people"')


def test_json_is_a_list_of_objects(tmp_path: Path) -> None:
    write_table(ROWS, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8")) == ROWS


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_excel_and_parquet_are_read_by_pandas(tmp_path: Path, suffix: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip({"xlsx": "openpyxl", "parquet": "pyarrow"}[suffix])
    path = tmp_path / f"t.{suffix}"
    write_table(ROWS, path)
    frame = pandas.read_excel(path) if suffix == "xlsx" else pandas.read_parquet(path)
    assert list(frame.columns) == list(ROWS[0])
    assert frame["image"].tolist() == ["a, 1", "Straße"]
    assert frame["density"].tolist()[0] == pytest.approx(0.3)
    assert frame["density"].isna().tolist() == [False, True]


def test_a_table_without_rows_is_written(tmp_path: Path) -> None:
    write_table([], tmp_path / "t.csv")
    write_table([], tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == []


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("mine")
    with pytest.raises(DatasetError, match="already exists"):
        write_table(ROWS, path)
    assert path.read_text() == "mine"
    write_table(ROWS, path, overwrite=True)
    assert path.read_text(encoding="utf-8-sig").startswith("image,")


def test_other_suffixes_and_missing_packages_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.csv, \.json, \.xlsx, \.parquet"):
        check_table_path(Path("t.txt"))
    for name, suffix in (("openpyxl", "xlsx"), ("pyarrow", "parquet")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ConfigError, match=rf"needs {name}: pip install 'crowdgan-core\[tables\]'"):
            write_table(ROWS, tmp_path / f"t.{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    for suffix in ("csv", "json"):
        write_table(ROWS, tmp_path / f"t.{suffix}")
    assert read_table(tmp_path / "t.json") == ROWS
    texts = [{name: None if value is None else str(value) for name, value in row.items()} for row in ROWS]
    assert read_table(tmp_path / "t.csv") == texts


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("t.json", b"{}", "not a table; it must be a list of objects"),
        ("t.json", b"[1]", "not a table; it must be a list of objects"),
        ("t.json", b"[NaN]", "not a valid JSON table"),
        ("t.csv", b"a,b\n1\n", "line 2 has another number of cells than the header"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2 has another number of cells than the header"),
        ("t.csv", b"\xff", "not a valid CSV table"),
    ],
)
def test_a_damaged_table_is_an_error(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError, match=reason):
        read_table(tmp_path / name)


def test_a_table_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"the table must be a file \.csv or \.json"):
        read_table(tmp_path / "t.xlsx")
