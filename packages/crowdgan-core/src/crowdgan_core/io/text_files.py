"""Text, JSON and CSV files in folders and ZIP archives, read with limits and with locations for messages."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import MAX_TEXT_BYTES, FolderStore, Store

MAX_LINE_BYTES = 64 * 2**20
"""Maximum length of a line in bytes, sufficient for a million people in one CrowdHuman annotation."""

MAX_JSON_BYTES = 2**30
"""Maximum size of a JSON file in bytes: twice the annotations of COCO; more would not fit into memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""First bytes of many UTF-8 files from Windows programs."""

DELIMITERS = (",", ";", "\t")
"""Delimiters of CSV files; a spreadsheet program with decimal commas writes semicolons."""


@dataclass(frozen=True)
class TextFile:
    """A text file in a folder or ZIP archive."""

    store: Store
    name: str

    @classmethod
    def at(cls, path: Path) -> TextFile:
        """The file at a path."""
        return cls(FolderStore(path.parent), path.name)

    @property
    def where(self) -> str:
        """Location of the file for messages."""
        return self.store.where(self.name)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Line number, from 1, and bytes of each line that is not blank.

        Raises:
            DatasetError: the file cannot be read, is larger than `MAX_TEXT_BYTES`, or a line is longer than
                `MAX_LINE_BYTES`.
        """
        with self.store.open(self.name) as file:
            number = num_bytes = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                num_bytes += len(line)
                if num_bytes > MAX_TEXT_BYTES:
                    raise DatasetError(f"{self.where}:{number}: the file is larger than {MAX_TEXT_BYTES} bytes")
                if len(line) > MAX_LINE_BYTES:
                    raise DatasetError(f"{self.where}:{number}: the line is longer than {MAX_LINE_BYTES} bytes")
                if line.strip():
                    yield number, line

    def text_lines(self) -> Iterator[tuple[int, str]]:
        """Line number, from 1, and text of each line that is not blank.

        Raises:
            DatasetError: as for `lines`, or a line is not valid UTF-8.
        """
        for number, line in self.lines():
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            try:
                yield number, line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DatasetError(
                    f"{self.where}:{number}: not valid UTF-8 text (byte {error.start + 1}); save the file as UTF-8"
                ) from error

    def start(self, num_bytes: int) -> bytes:
        """The first bytes of the file, at most `num_bytes`."""
        with self.store.open(self.name) as file:
            return file.read(num_bytes)

    def json(self, max_bytes: int = MAX_JSON_BYTES) -> Any:
        """The content of a JSON file.

        Raises:
            DatasetError: the file cannot be read, is larger than `max_bytes`, or is not valid JSON.
        """
        data = self.start(max_bytes + 1)
        if len(data) > max_bytes:
            raise DatasetError(f"{self.where}: the file is larger than the maximum of {max_bytes} bytes")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{self.where}: not valid JSON ({error})") from error


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """The column names and rows of a CSV file; the rows are read while they are iterated over, once."""

    names: Sequence[str]
    """Column names in the header, as written."""

    decimal_comma: bool
    """Whether numbers may have a decimal comma: the delimiter is not a comma."""

    rows: Iterator[tuple[int, list[str]]]
    """Line number and cells of each row; the number of cells is not checked."""


def read_csv(file: TextFile) -> CsvTable:
    """A CSV file with a header, UTF-8, with commas, semicolons or tabs as delimiters.

    Raises:
        DatasetError: the file cannot be read or is empty. The rows raise it too: not valid UTF-8, an unclosed quotation
            mark, or a cell above 131,072 characters; the message gives the line.
    """
    lines = file.text_lines()
    header = next(lines, None)
    if header is None:
        raise DatasetError(f"{file.where}: the file is empty; its first line must have the column names")
    number, text = header
    delimiter = max(DELIMITERS, key=text.count)
    names = next(_split(file, iter([(number, text)]), delimiter))[1]
    return CsvTable(names=names, decimal_comma=delimiter != ",", rows=_split(file, lines, delimiter))


def _split(file: TextFile, lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row; the number is that of the row's last line."""
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, text in lines:  # noqa: B007 (read below)
            yield text

    reader = csv.reader(texts(), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DatasetError(f"{file.where}:{number}: not valid CSV ({error})") from error
        if cells is None:
            return
        yield number, cells
