"""The examples and the lists of names in docs/reference/annotations.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.annotation_files.columns import (
    CLASS_COLUMNS,
    IGNORE_COLUMNS,
    IMAGE_COLUMNS,
    ROLE_PREFIXES,
    Form,
)
from crowdgan_core.sources.annotation_files.row_kinds import HEAD_CLASSES, IGNORE_CLASSES, PERSON_CLASSES
from crowdgan_core.sources.detection import open_source
from crowdgan_core.sources.mot import CLASS_KINDS
from tests.support.sources import image_bytes, write_files

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "annotations.md").read_text(encoding="utf-8")

EXAMPLES = dict(re.findall(r"`([\w/]+\.(?:csv|json|txt))`[^`]*:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL))
"""Content of each example by the name of its file."""


@pytest.mark.parametrize(
    ("name", "kind", "num_people"),
    [
        ("boxes.csv", "table", [2, 0]),
        ("boxes.json", "table", [1, 1]),
        ("by_image.json", "table", [2, 0]),
        ("annotations/instances.json", "coco", [1, 0]),
        ("gt/gt.txt", "mot", [2, 1]),
    ],
)
def test_every_example_is_read(tmp_path: Path, name: str, kind: str, num_people: list[int]) -> None:
    images = ["img1/000001.jpg", "img1/000002.jpg"] if kind == "mot" else ["a.jpg", "b.jpg"]
    folder = write_files(tmp_path, {image: image_bytes(1) for image in images} | {name: EXAMPLES[name].encode()})
    source, text = open_source([folder], None, None, installed_plugins().scene_sources)
    assert text.startswith(f"{kind}: ")
    assert [item.people.person_count for item in source] == num_people
    assert list(source.problems) == []


def table_row(title: str) -> str:
    [row] = re.findall(rf"^\| {title} \|.*$", PAGE, re.MULTILINE)
    return str(row)


def test_the_page_lists_every_column_and_class() -> None:
    rows = {
        "image": IMAGE_COLUMNS,
        "ignore flag": IGNORE_COLUMNS,
        "class": CLASS_COLUMNS,
        "full box, by its size": sum(Form.SIZE.value, ()),
        "full box, by its corners": sum(Form.CORNERS.value, ()),
        "head point": sum(Form.POINT.value, ()),
        "visible box": ROLE_PREFIXES["visible"],
        "head box or head point": ROLE_PREFIXES["head"],
    }
    for title, names in rows.items():
        assert [name for name in names if f"`{name}`" not in table_row(title)] == [], title
    assert [prefix for prefix in ROLE_PREFIXES["full"] if f"`{prefix}`" not in PAGE and prefix] == []
    [classes] = re.findall(r"Rows of the classes (.*?)Other classes", PAGE, re.DOTALL)
    words = set(re.findall(r"\w+", classes))
    plurals = {"heads", "persons", "pedestrians", "ignored", "ignore_region"}
    assert (PERSON_CLASSES | HEAD_CLASSES | IGNORE_CLASSES) - plurals <= words
    assert [number for number in CLASS_KINDS if not re.search(rf"\b{number}\b", PAGE)] == []


def test_the_page_lists_every_annotated_source() -> None:
    annotated = ["crowdhuman", "table", "coco", "mot"]
    assert [name for name in annotated if f"| `{name}` |" not in PAGE] == []
