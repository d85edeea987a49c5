"""Quick detection of tables, COCO and CrowdHuman files, by the start of a file."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.text_files import BYTE_ORDER_MARK, TextFile, read_csv
from crowdgan_core.sources.annotation_files.columns import find_columns

CSV_SUFFIXES = (".csv", ".tsv")

JSON_SUFFIX = ".json"

TABLE_SUFFIXES = (*CSV_SUFFIXES, JSON_SUFFIX)
"""Suffixes of tables, in lower case."""

DETECTION_BYTES = 2**16
"""Number of bytes that are read of a JSON file."""

COCO_KEY = re.compile(rb'"(?:images|annotations|categories)"\s*:\s*\[')
"""A list at the top of a COCO file."""

CROWDHUMAN_SUFFIX = ".odgt"
"""Suffix of CrowdHuman annotations, in lower case; other datasets have it too."""

CROWDHUMAN_KEYS = (re.compile(rb'"ID"\s*:'), re.compile(rb'"gtboxes"\s*:'))
"""Keys of a CrowdHuman annotation."""

DETECTION_LINES = 10
"""Number of lines that are read of an annotation file with one JSON object per line."""


def is_table(file: TextFile) -> bool:
    """Whether a file has the columns of a table, judged by the header or the first JSON objects.

    Raises:
        DatasetError: the file cannot be read.
    """
    try:
        if Path(file.name).suffix.lower() in CSV_SUFFIXES:
            find_columns(read_csv(file).names, file.where)
            return True
        first = _first_row(file.start(DETECTION_BYTES))
        if first is None:
            return False
        row, has_image = first
        find_columns(list(row), file.where, needs_image=has_image)
    except DatasetError:
        return False
    return True


def is_coco(file: TextFile) -> bool:
    """Whether a JSON file is in COCO format, judged by its start.

    Raises:
        DatasetError: the file cannot be read.
    """
    start = file.start(DETECTION_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip()
    return start.startswith(b"{") and COCO_KEY.search(start) is not None


def is_crowdhuman(file: TextFile) -> bool:
    """Whether one of the first lines of a file has the keys of a CrowdHuman annotation; the line may be damaged.

    Raises:
        DatasetError: the file cannot be read.
    """
    lines = itertools.islice(file.lines(), DETECTION_LINES)
    return any(all(key.search(line) for key in CROWDHUMAN_KEYS) for _, line in lines)


def _first_row(start: bytes) -> tuple[Mapping[str, Any], bool] | None:
    """The first object of a table at the start of a JSON file, and whether it must have the image; None without one."""
    text = start.decode("utf-8-sig", "ignore")
    decoder = json.JSONDecoder()
    try:
        position = _skip_spaces(text, 0)
        is_list = text[position] == "["
        if not is_list and text[position] != "{":
            return None
        while not is_list:  # find the first image with people
            _, position = decoder.raw_decode(text, _skip_spaces(text, position + 1))
            position = _skip_spaces(text, _skip_spaces(text, position) + 1)  # after the colon
            if text[position] != "[":
                return None
            if text[_skip_spaces(text, position + 1)] != "]":
                break
            position = _skip_spaces(text, _skip_spaces(text, position + 1) + 1)  # the comma after an empty list
        row, _ = decoder.raw_decode(text, _skip_spaces(text, position + 1))
    except (ValueError, IndexError, RecursionError):
        return None
    return (row, is_list) if isinstance(row, dict) else None


def _skip_spaces(text: str, position: int) -> int:
    while text[position].isspace():
        position += 1
    return position
