"""Text, JSON and CSV files, with limits and locations."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import open_store
from crowdgan_core.io.text_files import TextFile, read_csv
from tests.support.sources import write_zip


def text_file(folder: Path, data: bytes) -> TextFile:
    (folder / "a.txt").write_bytes(data)
    return TextFile.at(folder / "a.txt")


def test_lines_have_the_number_in_the_file_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbfone\n\n  \r\ntwo"
    file = text_file(tmp_path, data)
    assert list(file.lines()) == [(1, b"\xef\xbb\xbfone\n"), (4, b"two")]
    assert list(file.text_lines()) == [(1, "one\n"), (4, "two")]
    entry = TextFile(open_store(write_zip(tmp_path / "x.zip", {"f/a.txt": data})), "f/a.txt")
    assert (list(entry.text_lines()), entry.where) == ([(1, "one\n"), (4, "two")], f"{tmp_path}/x.zip:f/a.txt")


def test_text_of_another_encoding_is_an_error_with_line_and_byte(tmp_path: Path) -> None:
    lines = text_file(tmp_path, b"one\n\ntw\xe4\n").text_lines()
    assert next(lines) == (1, "one\n")
    with pytest.raises(DatasetError) as error:
        next(lines)
    assert str(error.value) == f"{tmp_path}/a.txt:3: not valid UTF-8 text (byte 3); save the file as UTF-8"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1}', "the file is larger than the maximum of 5 bytes"),
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
    ],
)
def test_json_that_is_too_large_or_damaged_is_an_error(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DatasetError) as error:
        text_file(tmp_path, data).json(5)
    assert str(error.value).startswith(f"{tmp_path}/a.txt: {message}")


@pytest.mark.parametrize(
    ("text", "names", "decimal_comma"),
    [
        ("a,b\n1,2\n", ["a", "b"], False),
        ("a;b\n1;2\n", ["a", "b"], True),
        ("a\tb\n1\t2\n", ["a", "b"], True),
        ('"a","b;c"\n1,2\n', ["a", "b;c"], False),
        ("a\n1\n", ["a"], False),
    ],
)
def test_the_delimiter_is_detected(tmp_path: Path, text: str, names: list[str], decimal_comma: bool) -> None:
    table = read_csv(text_file(tmp_path, text.encode()))
    assert (table.names, table.decimal_comma) == (names, decimal_comma)
    assert list(table.rows) == [(2, ["1", "2"][: len(names)])]


def test_a_quoted_line_break_does_not_change_the_line_numbers(tmp_path: Path) -> None:
    table = read_csv(text_file(tmp_path, b'a,b\n"x\ny",1\n\nz,2\n'))
    assert list(table.rows) == [(3, ["x\ny", "1"]), (5, ["z", "2"])]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none.csv: cannot be read \(No such file"):
        read_csv(TextFile.at(tmp_path / "none.csv"))
