"""Tables as CSV, JSON, Excel and Parquet files."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.table_files import check_table_path, write_table

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
