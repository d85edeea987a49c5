"""The COCO source: layouts, people and ignore regions, and damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.coco import CocoSource
from crowdgan_core.sources.detection import find_source
from tests.support.sources import image_bytes, write_files, write_zip

DAMAGED = "damaged annotations, whose images are not used"


def annotation(image: int, box: object, category: int = 1, **more: object) -> dict[str, object]:
    return {"id": 0, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0} | more


def content() -> dict[str, Any]:
    return {
        "info": {"year": 2017},
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}, {"id": 8, "file_name": "c.jpg"}],
        "annotations": [
            annotation(9, [1, 2, 3, 4.5]),
            annotation(7, [10, 20, 8, 24]),
            annotation(9, [5, 6, 7, 8]),
            annotation(9, [0, 0, 50, 50], iscrowd=1),
            annotation(9, [0, 0, 5, 5], category=3),
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
    }


def entries(data: object, name: str = "annotations/instances_val.json", images: str = "val/") -> dict[str, bytes]:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {f"{images}{letter}.jpg": image_bytes(1) for letter in "abc"} | {name: text}


def open_coco(path: Path, annotations: Path | None = None) -> Any:
    assert find_source([path], annotations, None, installed_plugins().scene_sources).name == "coco"
    return CocoSource().open([path], annotations)


def problems(source: Any) -> dict[str, list[str]]:
    return {problem.reason: list(problem.names) for problem in source.problems}


def test_people_and_ignore_regions_are_read_in_the_order_of_images(tmp_path: Path) -> None:
    source = open_coco(write_files(tmp_path, entries(content())))
    assert [item.source_name for item in source] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [item.people.full_boxes.tolist() for item in source] == [
        [[10, 20, 8, 24]],
        [[1, 2, 3, 4.5], [5, 6, 7, 8], [0, 0, 50, 50]],
        [],
    ]
    people = list(source)[1].people
    assert (people.ignore.tolist(), people.tagged_person.tolist()) == ([False, False, True], [True, True, False])
    assert np.isnan([people.visible_boxes, people.head_boxes]).all()
    assert problems(source) == {"classes that are not people, not used": ["car: 1"]}
    assert not source.problems[0].is_error
    assert len(source) == 3


def test_every_layout_gives_the_same_people(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "a", entries(content()))
    archive = write_zip(tmp_path / "b.zip", entries(content(), "coco.json", "images/"))
    beside = write_files(tmp_path / "c", entries(content(), "coco.json", ""))
    images = write_files(tmp_path / "d", entries(content(), "unused.txt"))
    sources = [open_coco(folder), open_coco(archive), open_coco(beside), open_coco(beside / "coco.json")]
    sources.append(open_coco(images, beside / "coco.json"))
    for source in sources:
        assert [item.people.person_count for item in source] == [1, 2, 0]
        assert list(problems(source)) == ["classes that are not people, not used"]


def test_ids_may_be_texts_and_the_category_may_have_another_name(tmp_path: Path) -> None:
    data = content()
    data["images"][0]["id"] = "7"
    data["categories"][0] = {"id": "1", "name": "Pedestrian"}
    source = open_coco(write_files(tmp_path, entries(data)))
    assert [item.people.person_count for item in source] == [1, 2, 0]


def test_several_files_are_an_error_that_names_them(tmp_path: Path) -> None:
    folder = write_files(tmp_path, entries(content()) | entries(content(), "annotations/instances_train.json"))
    message = r"several COCO files: annotations/instances_train.json, annotations/instances_val.json; choose one with"
    with pytest.raises(ConfigError, match=message):
        open_coco(folder)
    assert len(open_coco(folder, folder / "annotations" / "instances_val.json")) == 3


def test_unmatched_images_are_problems(tmp_path: Path) -> None:
    data = content()
    data["images"][2]["file_name"] = "d.jpg"
    source = open_coco(write_files(tmp_path, entries(data)))
    names = problems(source)
    assert names["annotations without an image"] == [
        f"{tmp_path}/annotations/instances_val.json: images[2]: image d.jpg"
    ]
    assert names["images without an annotation"] == [f"{tmp_path}/val/c.jpg"]


BBOX = "it must be four numbers x, y, width, height"


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (annotation(9, [1, 2, 3]), f"bbox is [1, 2, 3]; {BBOX}"),
        (annotation(9, [1, 2, 3, "4"]), f'bbox is [1, 2, 3, "4"]; {BBOX}'),
        (annotation(9, [1, 2, 3, None]), f"bbox is [1, 2, 3, null]; {BBOX}"),
        (annotation(9, [1, 2, 3, True]), f"bbox is [1, 2, 3, true]; {BBOX}"),
        (annotation(9, None), f"bbox is null; {BBOX}"),
        (annotation(9, [1, 2, 3, 4], category=5), "category_id is 5; no category has this ID"),
        (annotation(9, [1, 2, 3, 4], category_id=None), "category_id is null; no category has this ID"),
    ],
)
def test_an_image_with_a_damaged_annotation_is_not_used(tmp_path: Path, damaged: object, message: str) -> None:
    data = content()
    data["annotations"][0] = damaged
    source = open_coco(write_files(tmp_path, entries(data)))
    assert [item.source_name for item in source] == ["a.jpg", "c.jpg"]
    assert problems(source)[DAMAGED] == [f"{tmp_path}/annotations/instances_val.json: annotations[0]: {message}"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"id": 9, "file_name": 3}, "images[1]: file_name is 3; it must be the name of the image"),
        ({"id": None, "file_name": "b.jpg"}, "images[1]: id is null; it must be a number or text"),
        ({"id": 7, "file_name": "b.jpg"}, "images[1]: id 7 is repeated"),
    ],
)
def test_damaged_images_are_problems_with_their_annotations(tmp_path: Path, image: object, message: str) -> None:
    data = content()
    data["images"][1] = image
    file = f"{tmp_path}/annotations/instances_val.json"
    source = open_coco(write_files(tmp_path, entries(data)))
    first, *others = problems(source)[DAMAGED]
    assert first == f"{file}: {message}"
    assert others == [f"{file}: annotations[{row}]: image_id is 9; no image has this ID" for row in (0, 2, 3, 4)]


@pytest.mark.parametrize("box", ["[1, 2, 0, 4]", "[1, 2, 3, -4]", "[NaN, 2, 3, 4]", "[1, 2, Infinity, 4]"])
def test_a_person_with_an_invalid_box_counts_without_it(tmp_path: Path, box: str) -> None:
    text = json.dumps(content()).replace("[1, 2, 3, 4.5]", box)
    source = open_coco(write_files(tmp_path, entries(text.encode())))
    people = list(source)[1].people
    assert people.person_count == 2
    assert np.isnan(people.full_boxes[0]).all()
    invalid = "boxes without a valid position and size, whose people are counted without them"
    assert problems(source)[invalid] == [f"{tmp_path}/annotations/instances_val.json: annotations[0]: full_box"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(content())[:-30], "not valid JSON"),
        (json.dumps(content() | {"annotations": 3}), "annotations is missing or invalid; it must be a list of JSON"),
        (json.dumps(content() | {"images": [3]}), "images is missing or invalid; it must be a list of JSON objects"),
        (json.dumps({"images": []}), "annotations is missing or invalid; it must be a list of JSON objects"),
        (
            json.dumps(content() | {"categories": [{"id": 1, "name": "dog"}]}),
            "no category of people; found dog; one must be named person",
        ),
        (json.dumps(content() | {"categories": []}), "no category of people; found none; one must be named person"),
    ],
)
def test_a_file_of_another_structure_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    folder = write_files(tmp_path, entries(text.encode()))
    with pytest.raises(DatasetError) as error:
        open_coco(folder)
    assert str(error.value).startswith(f"{folder}/annotations/instances_val.json: {message}")


def test_a_folder_without_a_coco_file_does_not_match(tmp_path: Path) -> None:
    folder = write_files(tmp_path, entries(b'{"shapes": [{"label": "person"}]}'))
    assert not CocoSource().matches([folder], None)
    with pytest.raises(DatasetError, match="contains no COCO file; set the file with --annotations FILE"):
        CocoSource().open([folder], None)
