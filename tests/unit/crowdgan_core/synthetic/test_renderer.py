from __future__ import annotations

import math

import numpy as np
import pytest

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.annotations import annotate, rounded_xywh
from crowdgan_core.synthetic.render.renderer import DISTANT, NOBODY, RenderedScene, draw_world
from crowdgan_core.synthetic.world.world import Light, SyntheticPerson, World, random_world

SIZE = (240, 320)


def person(x_m: float, y_m: float, **changes: float) -> SyntheticPerson:
    values = {"height_m": 1.7, "girth": 1.0, "heading_rad": math.pi, "stride": 0.0, "phase_rad": 0.0, **changes}
    return SyntheticPerson(x_m=x_m, y_m=y_m, **values)


def world_of(*people: SyntheticPerson, distant: tuple[SyntheticPerson, ...] = (), pitch_deg: float = 10.0) -> World:
    return World(
        camera=Camera(height_m=2.5, pitch_rad=math.radians(pitch_deg), focal_length_px=300, size=SIZE),
        focal_35mm=34,
        region_m=np.array([[-5.0, 3.0], [5.0, 3.0], [5.0, 13.0], [-5.0, 13.0]]),
        people=people,
        min_distance_m=0.3,
        far_m=13.0,
        distant=distant,
        statue=None,
        light=Light(azimuth_rad=1.0, elevation_rad=0.7, strength=0.8),
    )


def drawn(world: World) -> tuple[RenderedScene, dict, dict]:
    drawing = draw_world(np.random.default_rng(0), world)
    return drawing, *annotate(drawing, world, "1,a")


def random_drawing(index: int, size: tuple[int, int] = SIZE) -> tuple[World, RenderedScene, dict, dict]:
    world = random_world(
        np.random.default_rng([8, index]), size=size, density=[0.1, 0.8, 3.0][index % 3], max_people=60
    )
    return world, *drawn(world)


def test_a_image_has_the_size_asked_for_and_three_channels() -> None:
    for size in [(120, 160), (160, 120), (97, 131)]:
        _, drawing, _, _ = random_drawing(0, size)
        assert drawing.pixels.shape == (*size, 3)
        assert drawing.pixels.dtype == np.uint8
        assert drawing.pixels.std() > 10


@pytest.mark.parametrize("index", range(6))
def test_full_boxes_agree_with_the_camera_to_the_rounding(index: int) -> None:
    world, _, record, truth = random_drawing(index)
    boxes = {entry["extra"]["box_id"]: entry["fbox"] for entry in record["gtboxes"] if entry["tag"] == "person"}
    assert boxes
    for known in truth["people"]:
        if known["box_id"] is None:
            continue
        foot, head = world.camera.project(
            np.array([[known["x_m"], known["y_m"], 0], [known["x_m"], known["y_m"], known["height_m"]]])
        )
        x, y, width, height = boxes[known["box_id"]]
        assert y == pytest.approx(head[1], abs=0.6)
        assert y + height == pytest.approx(foot[1], abs=0.6)
        assert x - 1 <= foot[0] <= x + width + 1
        assert 0.1 < width / height < 1.3


@pytest.mark.parametrize("index", range(6))
def test_visible_boxes_lie_in_image_and_full_box_and_heads_at_the_top(index: int) -> None:
    _, drawing, record, _ = random_drawing(index)
    height, width = drawing.owners.shape
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


def test_visible_box_is_the_box_of_the_pixels_that_show_the_person() -> None:
    drawing, record, _ = drawn(world_of(person(0, 6), person(1.5, 8)))
    for index, entry in enumerate(record["gtboxes"]):
        rows, columns = np.nonzero(drawing.owners == index)
        x, y, width, height = entry["vbox"]
        assert (x, y, x + width - 1, y + height - 1) == (columns.min(), rows.min(), columns.max(), rows.max())


def test_a_person_in_the_open_is_seen_whole() -> None:
    _, record, _ = drawn(world_of(person(0, 9)))
    (entry,) = record["gtboxes"]
    assert np.abs(np.array(entry["vbox"]) - entry["fbox"]).max() <= 2
    assert entry["head_attr"] == {"ignore": 0, "occ": 0, "unsure": 0}
    assert entry["extra"] == {"box_id": 0, "occ": 0}


def test_a_person_behind_another_shows_less_and_is_marked_occluded() -> None:
    alone = drawn(world_of(person(0, 8)))[1]["gtboxes"][0]
    behind, before = drawn(world_of(person(0, 8), person(0, 6)))[1]["gtboxes"]
    assert behind["fbox"] == alone["fbox"]
    assert behind["vbox"][3] < 0.7 * alone["vbox"][3]
    assert (behind["extra"]["occ"], before["extra"]["occ"]) == (1, 0)


def test_depth_decides_who_is_before_whom_not_the_order_of_the_list() -> None:
    near, far = person(0.1, 5), person(0, 8)
    one, other = drawn(world_of(near, far))[0].owners, drawn(world_of(far, near))[0].owners
    swapped = np.select([other == 0, other == 1], [1, 0], other)
    assert np.mean(one != swapped) < 0.02  # clothes differ, and with them the outlines a little


def test_who_is_hidden_or_outside_is_known_but_not_annotated() -> None:
    crowd = [person(x, 4.0, height_m=2.0) for x in (-0.2, 0.0, 0.2)]
    hidden, outside = person(0, 5, height_m=1.4, girth=0.82), person(30, 8)
    _, record, truth = drawn(world_of(*crowd, hidden, outside))
    assert [known["box_id"] for known in truth["people"]] == [0, 1, 2, None, None]
    assert len(record["gtboxes"]) == 3


def test_feet_below_the_image_leave_the_full_box_whole() -> None:
    _, record, _ = drawn(world_of(person(0, 3.2)))
    (entry,) = record["gtboxes"]
    assert entry["fbox"][1] + entry["fbox"][3] > SIZE[0]
    assert entry["vbox"][1] + entry["vbox"][3] == SIZE[0]


def test_a_distant_group_is_one_mask_with_three_equal_boxes_and_no_people_of_the_truth() -> None:
    group = tuple(person(2 + 0.7 * index, 40) for index in range(5))
    drawing, record, truth = drawn(world_of(person(-1, 8), distant=group))
    mask = record["gtboxes"][-1]
    assert mask["tag"] == "mask"
    assert mask["hbox"] == mask["fbox"] == mask["vbox"]
    assert (mask["head_attr"], mask["extra"]) == ({}, {"ignore": 1})
    rows, columns = np.nonzero(drawing.owners == DISTANT)
    x, y, width, height = mask["fbox"]
    assert ((columns >= x) & (columns < x + width) & (rows >= y) & (rows < y + height)).all()
    assert len(truth["people"]) == 1


def test_people_change_the_image_where_the_buffer_says_so() -> None:
    drawing, _, _ = drawn(world_of(person(0, 7)))
    empty, _, _ = drawn(world_of(person(200, 7)))
    assert (empty.owners == NOBODY).all()
    assert (drawing.owners == 0).sum() > 300
    rows, columns = np.nonzero(drawing.owners == 0)
    assert rows.max() < SIZE[0]
    assert np.ptp(columns) < np.ptp(rows)


def test_the_same_generator_draws_the_same_image() -> None:
    one, other = random_drawing(1)[1], random_drawing(1)[1]
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.owners, other.owners)


def test_rounded_boxes_keep_their_edges_and_have_an_extent() -> None:
    assert rounded_xywh(np.array([1.4, 2.6, 10.6, 20.4])) == [1, 3, 10, 17]
    assert rounded_xywh(np.array([-3.6, 5.0, -3.5, 5.2])) == [-4, 5, 1, 1]
