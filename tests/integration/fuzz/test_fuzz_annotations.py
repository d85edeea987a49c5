"""Damaged and malicious annotations."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdgan_core.sources.base import SceneSource
from crowdgan_core.sources.coco import CocoSource
from crowdgan_core.sources.crowdhuman import CrowdHumanSource, parse_line
from crowdgan_core.sources.mot import MotSource
from crowdgan_core.sources.table import TableSource
from tests.integration.fuzz.tools import Pipeline, checked_case, mutate_bytes, mutate_json, source_opener
from tests.support.sources import image_bytes, write_files


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_parse_line_gives_a_dataset_error_or_annotations_for_arbitrary_bytes_and_text(line: bytes | str) -> None:
    with checked_case(repr(line)):
        parse_line(line, "a.odgt:1")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda members: st.lists(members, max_size=5) | st.dictionaries(st.text(max_size=5), members, max_size=3),
    max_leaves=8,
)
BOXES = st.lists(st.floats() | st.integers() | JSON_VALUES, min_size=3, max_size=5) | JSON_VALUES
ROWS = st.fixed_dictionaries(
    {"fbox": BOXES},
    optional={"tag": JSON_VALUES, "vbox": BOXES, "hbox": BOXES, "extra": JSON_VALUES | st.just({"ignore": 1})},
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=5) | JSON_VALUES, st.lists(ROWS | JSON_VALUES, max_size=4) | JSON_VALUES)
def test_parse_line_gives_a_dataset_error_or_annotations_with_valid_boxes_for_arbitrary_json(
    identifier: object, boxes: object
) -> None:
    line = json.dumps({"ID": identifier, "gtboxes": boxes})
    with checked_case(line):
        name, annotations = parse_line(line, "a.odgt:1")
        assert name == identifier
        assert isinstance(boxes, list)
        assert len(annotations) == len(boxes)
        assert not np.isinf(annotations.full_boxes).any()
        assert not (annotations.person_full_boxes[:, 2:] <= 0).any()


def test_mutated_annotations_are_refused_skipped_or_read(
    tmp_path: Path, pipeline: Pipeline, write_crowd: Callable[..., Path]
) -> None:
    rng = random.Random(17)
    folder = write_crowd(tmp_path / "crowd", count=4, size=(24, 32))
    annotations = folder / "annotation_train.odgt"
    valid = annotations.read_bytes()
    records = [json.loads(line) for line in valid.splitlines()]
    for case in range(400):
        if case % 2:
            annotations.write_bytes(mutate_bytes(valid, rng))
        else:
            annotations.write_text("\n".join(json.dumps(mutate_json(record, rng)) for record in records))
        pipeline.run(source_opener(CrowdHumanSource(), folder), case, density=True)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


CROWD_ROWS = [(f"crowd{index % 4:03d}.jpg", 2 + index, 3, 4 + index % 3, 12) for index in range(40)]


def table_files() -> dict[str, bytes]:
    lines = [",".join(map(str, row)) for row in CROWD_ROWS]
    return {"boxes.csv": "\n".join(["image,x,y,w,h", *lines, ""]).encode()}


def json_table_files() -> dict[str, bytes]:
    return {"boxes.json": json.dumps([dict(zip(("image", *"xywh"), row, strict=True)) for row in CROWD_ROWS]).encode()}


def coco_files() -> dict[str, bytes]:
    names = sorted({name for name, *_ in CROWD_ROWS})
    content = {
        "images": [{"id": index, "file_name": name} for index, name in enumerate(names)],
        "annotations": [
            {"image_id": names.index(name), "category_id": 1, "bbox": box, "iscrowd": 0} for name, *box in CROWD_ROWS
        ],
        "categories": [{"id": 1, "name": "person"}],
    }
    return {"coco.json": json.dumps(content).encode()}


def mot_files() -> dict[str, bytes]:
    lines = [f"{int(name[5:8]) + 1},1,{','.join(map(str, box))},1,1,1" for name, *box in CROWD_ROWS]
    return {"gt/gt.txt": "\n".join([*lines, ""]).encode()}


@pytest.mark.parametrize(
    ("source", "entries"),
    [
        (TableSource(), table_files()),
        (TableSource(), json_table_files()),
        (CocoSource(), coco_files()),
        (MotSource(), mot_files()),
    ],
)
def test_mutated_tables_and_benchmark_files_are_refused_skipped_or_read(
    tmp_path: Path, pipeline: Pipeline, source: SceneSource, entries: dict[str, bytes]
) -> None:
    rng = random.Random(17)
    for index in range(4):
        data = image_bytes(index, (24, 32))
        write_files(tmp_path, {f"crowd{index:03d}.jpg": data, f"img1/00000{index + 1}.jpg": data})
    folder = tmp_path
    if not isinstance(source, MotSource):
        shutil.rmtree(tmp_path / "img1")
    [(name, valid)] = entries.items()
    write_files(folder, entries)
    for case in range(150):
        if name.endswith(".json") and case % 2:
            (folder / name).write_text(json.dumps(mutate_json(json.loads(valid), rng)))
        else:
            (folder / name).write_bytes(mutate_bytes(valid, rng))
        pipeline.run(source_opener(source, folder), case, density=True)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes
