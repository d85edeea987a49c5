"""The CrowdHuman source: layouts, annotation lines, and problems."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.sources.crowdhuman import CrowdHumanReader, CrowdHumanSource, parse_line
from tests.support.sources import RECORDS, image_bytes, odgt, person, write_files, write_zip
from tests.unit.crowdgan_core.conftest import WriteSource

LAYOUTS = ["folder", "folder_root", "zip", "zip_root", "download", "separate"]


def open_crowdhuman(paths: list[Path], annotations: Path | None = None) -> CrowdHumanReader:
    source = CrowdHumanSource()
    assert source.matches(paths, annotations)
    return source.open(paths, annotations)


def problem_names(source: CrowdHumanReader) -> dict[str, list[str]]:
    return {problem.reason: list(problem.names) for problem in source.problems}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_scenes(write_crowdhuman: WriteSource, layout: str) -> None:
    source = open_crowdhuman(*write_crowdhuman(layout))
    items = list(source)
    assert [item.source_name for item in items] == list(RECORDS)
    assert [item.people.person_count for item in items] == [0, 6, 12, 18, 24]
    assert [item.image.open().size for item in items] == [(80, 60)] * 5
    assert (len(source), problem_names(source)) == (5, {})
    assert repr(source) == "SourceReader(crowdhuman, 5 images)"
    assert [item.source_name for item in source] == list(RECORDS), "a reader can be iterated again"


def test_boxes_and_tags_are_read_from_an_annotation_line() -> None:
    line = json.dumps(
        {"ID": "1,a", "gtboxes": [person(-3, 5), person(1, 2, tag="mask", ignore=1), person(4, 4, ignore=1)]}
    )
    name, people = parse_line(line, "a.odgt:1")
    assert name == "1,a"
    assert people.full_boxes.tolist() == [[-3, 5, 8, 24], [1, 2, 8, 24], [4, 4, 8, 24]]
    assert people.ignore.tolist() == [False, True, True]
    assert people.tagged_person.tolist() == [True, False, True]
    assert people.head_boxes[0] == pytest.approx([-1, 5, 4, 24 / 7])


def test_missing_and_empty_boxes_are_nan() -> None:
    box = {"tag": "person", "fbox": [0, 0, 5, 9], "vbox": [0, 0, 0, 9]}
    people = parse_line(json.dumps({"ID": "a", "gtboxes": [box]}), "a.odgt:1")[1]
    assert np.isnan(people.visible_boxes).all()
    assert np.isnan(people.head_boxes).all()
    assert people.person_count == 1


def test_original_records_are_read(shared: Path) -> None:
    for split, count in (("train", 4), ("val", 1)):
        lines = (shared / "data" / "crowdhuman" / f"real_records_{split}.odgt").read_text().splitlines()
        parsed = [parse_line(line, "x") for line in lines if line.strip()]
        assert len(parsed) == count
        assert all("," in name and people.person_count > 0 for name, people in parsed)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1]", "the annotation is list; it must be a JSON object"),
        ('{"ID": 5, "gtboxes": []}', "ID is missing or invalid; it must be the name of the image"),
        ('{"ID": "a"}', "gtboxes is NoneType; it must be a list of JSON objects"),
        ('{"ID": "a", "gtboxes": [3]}', "gtboxes is list; it must be a list of JSON objects"),
        (
            '{"ID": "a", "gtboxes": [{"fbox": [1, 2, 3]}]}',
            "fbox is [1, 2, 3]; it must be four numbers x, y, width, height",
        ),
        ('{"ID": "a", "gtboxes": [{"fbox": [1, 2, NaN, 3]}]}', "fbox is [1, 2, NaN, 3]; it must be four numbers"),
        ('{"ID": "a", "gtboxes": [{"fbox": [1, 2, -3, 9]}]}', "full_box width is -3 px; it must be above 0"),
        ('{"ID": "a", "gtboxes": [{"fbox": [1, 2, 3, 0]}]}', "full_box height is 0 px; it must be above 0"),
        ('{"ID": "a", "gtboxes": [{"fbox": [1, 2, 3, 4], "extra": 1}]}', "extra is int; it must be a JSON object"),
    ],
)
def test_an_invalid_line_is_an_error_with_file_and_line_number(line: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse_line(line, "annotation_train.odgt:812")
    assert str(caught.value).startswith("annotation_train.odgt:812: ")
    assert message in str(caught.value)


def test_blank_lines_are_skipped_and_invalid_lines_are_problems(tmp_path: Path) -> None:
    text = "\n" + odgt({"a": [person(1, 1)]}) + "  \n{broken\n" + odgt({"b": []}) + odgt({"a": []})
    folder = write_files(tmp_path / "x", {"a.jpg": image_bytes(1), "b.png": image_bytes(2), "t.odgt": text.encode()})
    source = open_crowdhuman([folder])
    assert [(item.source_name, len(item.people)) for item in source] == [("a", 1), ("b", 0)]
    names = problem_names(source)
    assert names.keys() == {"damaged annotation lines", "annotations with a repeated ID"}
    assert names["damaged annotation lines"][0].startswith(f"{folder}/t.odgt:4: not valid JSON")
    repeated = f"{folder}/t.odgt:6: ID a, first used in {folder}/t.odgt:2"
    assert names["annotations with a repeated ID"] == [repeated]


def test_unmatched_images_and_annotations_are_problems(tmp_path: Path) -> None:
    entries = {
        "Images/a.jpg": image_bytes(1),
        "Images/c.jpg": image_bytes(2),
        "t.odgt": odgt({"a": [], "b": []}).encode(),
    }
    source = open_crowdhuman([write_zip(tmp_path / "x.zip", entries)])
    assert len(source) == 1
    assert problem_names(source) == {
        "annotations without an image": ["b"],
        "images without an annotation": [f"{tmp_path}/x.zip:Images/c.jpg"],
    }


def test_image_ids_may_be_paths_and_may_have_a_suffix(tmp_path: Path) -> None:
    entries = {f"Images/{name}.jpg": image_bytes(1) for name in ("s1/a", "s2/a", "b")}
    text = odgt({"Images/s1/a": [], "Images/s2/a.jpg": [], "b.jpg": []})
    source = open_crowdhuman([write_files(tmp_path / "x", {**entries, "t.odgt": text.encode()})])
    assert [item.source_name for item in source] == ["Images/s1/a", "Images/s2/a.jpg", "b.jpg"]
    assert problem_names(source) == {}


def test_images_without_annotations_do_not_match(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "x", {"a.jpg": image_bytes(1)})
    assert not CrowdHumanSource().matches([folder], None)
    with pytest.raises(
        DatasetError, match=r"x: contains no .odgt annotations; set the annotation file with --annotations FILE"
    ):
        CrowdHumanSource().open([folder], None)


def test_an_unreadable_annotation_file_is_an_error(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "x", {"a.jpg": image_bytes(1)})
    with pytest.raises(DatasetError, match=r"none.odgt: cannot be read \(No such file or directory\)"):
        open_crowdhuman([folder], tmp_path / "none.odgt")


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    images = write_files(tmp_path / "linked", {"a.jpg": image_bytes(1)})
    folder = write_files(tmp_path / "x", {"t.odgt": odgt({"a": []}).encode()})
    (folder / "Images").symlink_to(images)
    (images / "cycle").symlink_to(folder)
    source = open_crowdhuman([folder])
    assert (len(source), problem_names(source)) == (1, {})


def test_entries_with_backslashes_are_matched(tmp_path: Path) -> None:
    entries = {"Images\\a.jpg": image_bytes(1), "t.odgt": odgt({"a": []}).encode()}
    assert len(open_crowdhuman([write_zip(tmp_path / "x.zip", entries)])) == 1


def test_an_image_is_assigned_to_the_annotation_with_the_most_exact_name(tmp_path: Path) -> None:
    entries = {
        "001.jpg": image_bytes(1),
        "val/001.jpg": image_bytes(2),
        "t.odgt": odgt({"001": [], "val/001": []}).encode(),
    }
    source = open_crowdhuman([write_files(tmp_path / "x", entries)])
    assert [item.image.where.removeprefix(f"{tmp_path}/x/") for item in source] == ["001.jpg", "val/001.jpg"]
    assert problem_names(source) == {}


def test_a_repeated_image_name_is_a_problem_unless_a_zip_is_next_to_its_unpacked_files(tmp_path: Path) -> None:
    entries = {"train/1.jpg": image_bytes(1), "val/1.jpg": image_bytes(2), "t.odgt": odgt({"1": []}).encode()}
    folder = write_files(tmp_path / "x", entries)
    repeated = f"{folder}/val/1.jpg, not used because of {folder}/train/1.jpg"
    assert problem_names(open_crowdhuman([folder])) == {"images with a repeated name": [repeated]}
    (folder / "val" / "1.jpg").unlink()
    write_zip(folder / "Images.zip", {"Images/1.jpg": image_bytes(1)})
    assert problem_names(open_crowdhuman([folder])) == {}


def test_datasets_in_the_source_folder_are_ignored(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "t.odgt": odgt({"a": []}).encode()}
    dataset = {"00000/img00000000.png": image_bytes(2, image_format="PNG"), "dataset.json": b"{}"}
    folder = write_files(tmp_path / "x", entries)
    write_files(folder / "dataset", dataset)
    write_zip(folder / "dataset.zip", dataset)
    source = open_crowdhuman([folder])
    assert (len(source), problem_names(source)) == (1, {})
