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


def test_columns_of_parquet_files_have_one_type_with_missing_values(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{**row, "height": None, "mixed": value} for row, value in zip(ROWS, (1, 0.5), strict=True)]
    rows.append(dict.fromkeys(rows[0]))
    write_table(rows, tmp_path / "t.parquet", types={"height": float})
    schema = parquet.read_schema(tmp_path / "t.parquet")
    types = {field.name: str(field.type).removeprefix("large_") for field in schema}
    assert types == {
        "image": "string",
        "density": "double",
        "people": "int64",
        "known": "bool",
        "reason": "string",
        "height": "double",
        "mixed": "double",
    }
    pandas = pytest.importorskip("pandas")
    assert "object" not in map(str, pandas.read_parquet(tmp_path / "t.parquet").dtypes)
    write_table([], tmp_path / "empty.parquet", types={"height": float})
    assert parquet.read_schema(tmp_path / "empty.parquet").names == ["height"]


def test_excel_files_have_a_frozen_header_widths_and_number_formats(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    long = "unknown: people's heights change from left to right (a rolled camera, or ground that slopes sideways)"
    write_table([{**ROWS[0], "area": 1234.5678, "reason": long}, {**ROWS[1], "area": None}], tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", "A1:F3")
    assert [(cell.value, cell.font.bold) for cell in sheet[1]] == [(name, True) for name in [*ROWS[0], "area"]]
    assert [sheet.column_dimensions[letter].width for letter in "ABCDE"] == [8, 10, 9, 8, 60]
    assert [cell.number_format for cell in sheet[2]] == ["General", "0.000", "0", "0", "General", "0.00"]
    assert sheet["B2"].value == pytest.approx(0.3), "all digits are in the file"
    assert [bool(sheet[cell].alignment.wrap_text) for cell in ("A2", "E2")] == [False, True]


def test_texts_in_excel_files_are_no_formulas_and_have_only_allowed_characters(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    write_table([{"image": "=1+1"}, {"image": "a\x00b"}], tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert [(cell.value, cell.data_type) for (cell,) in sheet["A2:A3"]] == [("=1+1", "s"), ("a\ufffdb", "s")]


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


@pytest.mark.parametrize("suffix", ["json", "xlsx", "parquet"])
def test_tables_are_read_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    for package in {"xlsx": ["openpyxl"], "parquet": ["pandas", "pyarrow"]}.get(suffix, []):
        pytest.importorskip(package)
    path = tmp_path / f"t.{suffix}"
    rows = [{**row, "density": row["density"] and round(row["density"], 15)} for row in ROWS]  # the digits of Excel
    write_table(rows, path)
    assert read_table(path) == rows
    write_table([], path, overwrite=True)
    assert read_table(path) == []


def test_values_of_a_csv_file_are_texts(tmp_path: Path) -> None:
    write_table(ROWS, tmp_path / "t.csv")
    texts = [{name: None if value is None else str(value) for name, value in row.items()} for row in ROWS]
    assert read_table(tmp_path / "t.csv") == texts


def test_a_csv_file_saved_with_decimal_commas_has_the_same_values(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"image;density;people\r\na, 1;0,25;3\r\nb;-1,5E-3;\r\n")
    assert read_table(tmp_path / "t.csv") == [
        {"image": "a, 1", "density": "0.25", "people": "3"},
        {"image": "b", "density": "-1.5E-3", "people": None},
    ]


def test_empty_rows_of_an_excel_file_are_skipped(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for cells in (["a", "b"], [1], [None, None], [None, 2]):
        book.active.append(cells)
    book.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx") == [{"a": 1, "b": None}, {"a": None, "b": 2}]
    book.active["B1"] = "a"
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(DatasetError, match="the first row must have a different name for each column"):
        read_table(tmp_path / "t.xlsx")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("t.json", b"{}", r"not a valid JSON table \(it must be a list of objects"),
        ("t.json", b"[1]", "it must be a list of objects"),
        ("t.json", b"[NaN]", "not a valid JSON table"),
        ("t.csv", b"a,b\n1\n", r"t\.csv:2: 1 cells; the header has 2 columns"),
        ("t.csv", b"a,b\n1,2,3\n", r"t\.csv:2: 3 cells; the header has 2 columns"),
        ("t.csv", b"\xff", "not valid UTF-8 text"),
        ("t.csv", b"", "the file is empty"),
        ("t.xlsx", b"a,b", "not a valid Excel table"),
        ("t.parquet", b"a,b", "not a valid Parquet table"),
    ],
)
def test_a_damaged_table_is_an_error(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    for package in {"t.xlsx": ["openpyxl"], "t.parquet": ["pyarrow"]}.get(name, []):
        pytest.importorskip(package)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError, match=reason):
        read_table(tmp_path / name)


def test_a_table_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"the file name must end in \.csv, \.json, \.xlsx, \.parquet"):
        read_table(tmp_path / "t.txt")
