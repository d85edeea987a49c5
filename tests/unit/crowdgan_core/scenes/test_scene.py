"""Annotations of people, and scenes."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.scenes.scene import PersonAnnotations, Scene


def test_missing_arrays_are_filled() -> None:
    people = PersonAnnotations(full_boxes=np.ones((2, 4)), ignore=np.array([False, True]))
    assert np.isnan(people.visible_boxes).all()
    assert people.head_boxes.shape == (2, 4)
    assert people.tagged_person.tolist() == [True, False]
    assert (len(people), people.person_count) == (2, 1)


def test_arrays_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="head_boxes has 3 rows where other arrays have 3|full_boxes has 2 rows"):
        PersonAnnotations(full_boxes=np.ones((2, 4)), head_boxes=np.ones((3, 4)))


def test_boxes_of_wrong_shape_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"full_boxes has shape \[2, 3\]; it must be \[num_annotations, 4\]"):
        PersonAnnotations(full_boxes=np.ones((2, 3)))


def test_a_scene_without_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="height and width must be at least 1 px"):
        Scene(source_name="a", size=(0, 4))


def test_select_returns_rows_of_every_array() -> None:
    boxes = np.arange(12.0).reshape(3, 4)
    scene = Scene(source_name="a", size=(9, 9), full_boxes=boxes, ignore=np.array([False, True, False]))
    selected = scene.select(np.array([2, 1]))
    assert selected.full_boxes.tolist() == boxes[[2, 1]].tolist()
    assert selected.ignore.tolist() == [False, True]
    assert selected.person_full_boxes.tolist() == boxes[[2]].tolist()
    assert (selected.source_name, selected.size) == ("a", (9, 9))
