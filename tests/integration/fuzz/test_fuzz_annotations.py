"""Damaged and hostile annotations."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdgan_core.sources.crowdhuman import CrowdHumanSource, parse_line
from tests.integration.fuzz.tools import Pipeline, mutated, mutated_json, one_case, opened


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_parse_line_turns_arbitrary_bytes_and_text_into_a_dataset_error_or_people(line: bytes | str) -> None:
    with one_case(repr(line)):
        parse_line(line, "a.odgt:1")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=5) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
BOXES = st.lists(st.floats() | st.integers() | JSON_VALUES, min_size=3, max_size=5) | JSON_VALUES
ROWS = st.fixed_dictionaries(
    {"fbox": BOXES},
    optional={"tag": JSON_VALUES, "vbox": BOXES, "hbox": BOXES, "extra": JSON_VALUES | st.just({"ignore": 1})},
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=5) | JSON_VALUES, st.lists(ROWS | JSON_VALUES, max_size=4) | JSON_VALUES)
def test_parse_line_turns_arbitrary_json_into_a_dataset_error_or_people_with_sound_boxes(
    identifier: object, boxes: object
) -> None:
    line = json.dumps({"ID": identifier, "gtboxes": boxes})
    with one_case(line):
        name, people = parse_line(line, "a.odgt:1")
        assert name == identifier
        assert isinstance(boxes, list)
        assert len(people) == len(boxes)
        assert not np.isinf(people.full_boxes).any()
        assert not (people.person_full_boxes[:, 2:] <= 0).any()


def test_mutated_annotations_are_refused_or_skipped_or_read(
    tmp_path: Path, pipeline: Pipeline, write_crowd: Callable[..., Path]
) -> None:
    dice = random.Random(17)
    folder = write_crowd(tmp_path / "crowd", count=4, size=(24, 32))
    annotations = folder / "annotation_train.odgt"
    valid = annotations.read_bytes()
    records = [json.loads(line) for line in valid.splitlines()]
    for case in range(400):
        if case % 2:
            annotations.write_bytes(mutated(valid, dice))
        else:
            annotations.write_text("\n".join(json.dumps(mutated_json(record, dice)) for record in records))
        pipeline.run(opened(CrowdHumanSource(), folder), case, density=True)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes
