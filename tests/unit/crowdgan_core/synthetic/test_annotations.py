from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.synthetic.render.compositing import rounded_boxes
from crowdgan_core.synthetic.render.renderer import DISTANT_GROUP_INDEX
from tests.support.synthetic_worlds import SIZE, example_world, render_annotated, small_random_world, synthetic_person


@pytest.mark.parametrize("index", range(6))
def test_full_boxes_agree_with_the_camera_up_to_rounding(index: int) -> None:
    world = small_random_world(index)
    _, record, ground_truth = render_annotated(world)
    boxes = {entry["extra"]["box_id"]: entry["fbox"] for entry in record["gtboxes"] if entry["tag"] == "person"}
    assert boxes
    for person in ground_truth["people"]:
        if person["box_id"] is None:
            continue
        foot, head = world.camera.project(
            np.array([[person["x_m"], person["y_m"], 0], [person["x_m"], person["y_m"], person["height_m"]]])
        )
        x, y, width, height = boxes[person["box_id"]]
        assert y == pytest.approx(head[1], abs=0.6)
        assert y + height == pytest.approx(foot[1], abs=0.6)
        assert x - 1 <= foot[0] <= x + width + 1
        assert 0.1 < width / height < 1.3


@pytest.mark.parametrize("index", range(6))
def test_visible_boxes_lie_in_image_and_full_box_and_heads_at_the_top(index: int) -> None:
    rendered, record, _ = render_annotated(small_random_world(index))
    height, width = rendered.person_index.shape
    for entry in record["gtboxes"]:
        assert all(isinstance(value, int) for name in ("fbox", "vbox", "hbox") for value in entry[name])
        (x, y, w, h), (fx, fy, fw, fh), (_, hy, hw, hh) = entry["vbox"], entry["fbox"], entry["hbox"]
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        assert min(w, h, fw, fh, hw, hh) >= 1
        if entry["tag"] == "person":
            assert x >= fx - 1
            assert y >= fy - 1
            assert x + w <= fx + fw + 1
            assert y + h <= fy + fh + 1
            assert abs(hy - fy) <= 1
            assert hy + hh <= fy + 0.35 * fh + 1


def test_visible_box_is_the_bounding_box_of_the_visible_pixels() -> None:
    rendered, record, _ = render_annotated(example_world(synthetic_person(0, 6), synthetic_person(1.5, 8)))
    for index, entry in enumerate(record["gtboxes"]):
        rows, columns = np.nonzero(rendered.person_index == index)
        x, y, width, height = entry["vbox"]
        assert (x, y, x + width - 1, y + height - 1) == (columns.min(), rows.min(), columns.max(), rows.max())


def test_an_unoccluded_person_is_fully_visible() -> None:
    _, record, _ = render_annotated(example_world(synthetic_person(0, 9)))
    (entry,) = record["gtboxes"]
    assert np.abs(np.array(entry["vbox"]) - entry["fbox"]).max() <= 2
    assert entry["head_attr"] == {"ignore": 0, "occ": 0, "unsure": 0}
    assert entry["extra"] == {"box_id": 0, "occ": 0}


def test_a_person_behind_another_is_less_visible_and_marked_as_occluded() -> None:
    alone = render_annotated(example_world(synthetic_person(0, 8)))[1]["gtboxes"][0]
    behind, front = render_annotated(example_world(synthetic_person(0, 8), synthetic_person(0, 6)))[1]["gtboxes"]
    assert behind["fbox"] == alone["fbox"]
    assert behind["vbox"][3] < 0.7 * alone["vbox"][3]
    assert (behind["extra"]["occ"], front["extra"]["occ"]) == (1, 0)


def test_people_who_are_occluded_or_outside_the_image_are_in_the_ground_truth_but_not_annotated() -> None:
    crowd = [synthetic_person(x, 4.0, height_m=2.0) for x in (-0.2, 0.0, 0.2)]
    occluded, outside = synthetic_person(0, 5, height_m=1.4, girth=0.82), synthetic_person(30, 8)
    _, record, ground_truth = render_annotated(example_world(*crowd, occluded, outside))
    assert [person["box_id"] for person in ground_truth["people"]] == [0, 1, 2, None, None]
    assert len(record["gtboxes"]) == 3


def test_full_box_extends_below_the_image_to_the_feet() -> None:
    _, record, _ = render_annotated(example_world(synthetic_person(0, 3.2)))
    (entry,) = record["gtboxes"]
    assert entry["fbox"][1] + entry["fbox"][3] > SIZE[0]
    assert entry["vbox"][1] + entry["vbox"][3] == SIZE[0]


def test_a_distant_group_is_one_mask_with_three_equal_boxes_and_not_in_the_ground_truth() -> None:
    group = tuple(synthetic_person(2 + 0.7 * index, 40) for index in range(5))
    rendered, record, ground_truth = render_annotated(example_world(synthetic_person(-1, 8), distant_group=group))
    mask = record["gtboxes"][-1]
    assert mask["tag"] == "mask"
    assert mask["hbox"] == mask["fbox"] == mask["vbox"]
    assert (mask["head_attr"], mask["extra"]) == ({}, {"ignore": 1})
    rows, columns = np.nonzero(rendered.person_index == DISTANT_GROUP_INDEX)
    x, y, width, height = mask["fbox"]
    assert ((columns >= x) & (columns < x + width) & (rows >= y) & (rows < y + height)).all()
    assert len(ground_truth["people"]) == 1


def test_rounded_boxes_keep_their_edges() -> None:
    boxes = rounded_boxes(np.array([[1.4, 2.6, 10.6, 20.4], [-3.6, 5.0, -3.5, 5.2]]))
    assert boxes == [(1, 3, 11, 20), (-4, 5, -4, 5)]
