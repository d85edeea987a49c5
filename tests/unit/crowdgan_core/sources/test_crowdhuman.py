"""CrowdHuman in the forms that people have it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.sources.crowdhuman import CrowdHumanReader, CrowdHumanSource, parse_line
from tests.support.sources import RECORDS, image_bytes, odgt, person, write_tree, write_zip
from tests.unit.crowdgan_core.conftest import MakeSource

FORMS = ["folder", "folder_root", "zip", "zip_root", "download", "apart"]


def opened(paths: list[Path], annotations: Path | None = None) -> CrowdHumanReader:
    source = CrowdHumanSource()
    assert source.matches(paths, annotations)
    return source.open(paths, annotations)


def problems(source: CrowdHumanReader) -> dict[str, list[str]]:
    return {problem.reason: list(problem.names) for problem in source.problems}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_scenes(make_crowdhuman: MakeSource, form: str) -> None:
    source = opened(*make_crowdhuman(form))
    found = list(source)
    assert [item.source_name for item in found] == list(RECORDS)
    assert [item.people.person_count for item in found] == [0, 6, 12, 18, 24]
    assert [item.image.open().size for item in found] == [(80, 60)] * 5
    assert (len(source), problems(source)) == (5, {})
    assert [item.source_name for item in source] == list(RECORDS), "it can be iterated again"


def test_boxes_are_read_under_our_names() -> None:
    line = json.dumps(
        {"ID": "1,a", "gtboxes": [person(-3, 5), person(1, 2, tag="mask", ignore=1), person(4, 4, ignore=1)]}
    )
    name, people = parse_line(line, "a.odgt:1")
    assert name == "1,a"
    assert people.full_boxes.tolist() == [[-3, 5, 8, 24], [1, 2, 8, 24], [4, 4, 8, 24]]
    assert people.ignore.tolist() == [False, True, True]
    assert people.tagged_person.tolist() == [True, False, True]
    assert people.head_boxes[0] == pytest.approx([-1, 5, 4, 24 / 7])


def test_missing_boxes_and_boxes_without_extent_are_nan() -> None:
    box = {"tag": "person", "fbox": [0, 0, 5, 9], "vbox": [0, 0, 0, 9]}
    people = parse_line(json.dumps({"ID": "a", "gtboxes": [box]}), "a.odgt:1")[1]
    assert np.isnan(people.visible_boxes).all()
    assert np.isnan(people.head_boxes).all()
    assert people.person_count == 1


def test_the_original_records_are_read(shared: Path) -> None:
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
        ("[1]", "an annotation is a JSON object with the image's name as a text in ID"),
        ('{"ID": 5, "gtboxes": []}', "with the image's name as a text in ID"),
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
def test_a_bad_line_is_named_by_file_and_number(line: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse_line(line, "annotation_train.odgt:812")
    assert str(caught.value).startswith("annotation_train.odgt:812: ")
    assert message in str(caught.value)


def test_blank_lines_are_skipped_and_bad_ones_counted(tmp_path: Path) -> None:
    text = "\n" + odgt({"a": [person(1, 1)]}) + "  \n{broken\n" + odgt({"b": []}) + odgt({"a": []})
    folder = write_tree(tmp_path / "x", {"a.jpg": image_bytes(1), "b.png": image_bytes(2), "t.odgt": text.encode()})
    source = opened([folder])
    assert [(item.source_name, len(item.people)) for item in source] == [("a", 1), ("b", 0)]
    found = problems(source)
    assert found.keys() == {"damaged annotation lines", "annotations of an image that is annotated already"}
    assert found["damaged annotation lines"][0].startswith(f"{folder}/t.odgt:4: not valid JSON")
    repeated = f"{folder}/t.odgt:6: ID a again, first in {folder}/t.odgt:2"
    assert found["annotations of an image that is annotated already"] == [repeated]


def test_missing_partners_are_problems(tmp_path: Path) -> None:
    entries = {
        "Images/a.jpg": image_bytes(1),
        "Images/c.jpg": image_bytes(2),
        "t.odgt": odgt({"a": [], "b": []}).encode(),
    }
    source = opened([write_zip(tmp_path / "x.zip", entries)])
    assert len(source) == 1
    assert problems(source) == {
        "annotations without an image": ["b"],
        "images without an annotation": [f"{tmp_path}/x.zip:Images/c.jpg"],
    }


def test_identifiers_may_be_paths_or_carry_a_suffix(tmp_path: Path) -> None:
    entries = {f"Images/{name}.jpg": image_bytes(1) for name in ("s1/a", "s2/a", "b")}
    text = odgt({"Images/s1/a": [], "Images/s2/a.jpg": [], "b.jpg": []})
    source = opened([write_tree(tmp_path / "x", {**entries, "t.odgt": text.encode()})])
    assert [item.source_name for item in source] == ["Images/s1/a", "Images/s2/a.jpg", "b.jpg"]
    assert problems(source) == {}


def test_images_without_annotations_are_no_crowdhuman(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "x", {"a.jpg": image_bytes(1)})
    assert not CrowdHumanSource().matches([folder], None)
    with pytest.raises(DatasetError, match=r"no .odgt annotations in it; give them by --annotations FILE"):
        CrowdHumanSource().open([folder], None)


def test_annotations_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "x", {"a.jpg": image_bytes(1)})
    with pytest.raises(DatasetError, match=r"none.odgt: cannot be read \(No such file or directory\)"):
        opened([folder], tmp_path / "none.odgt")


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    images = write_tree(tmp_path / "elsewhere", {"a.jpg": image_bytes(1)})
    folder = write_tree(tmp_path / "x", {"t.odgt": odgt({"a": []}).encode()})
    (folder / "Images").symlink_to(images)
    (images / "circle").symlink_to(folder)
    source = opened([folder])
    assert (len(source), problems(source)) == (1, {})


def test_entries_with_backslashes_are_matched(tmp_path: Path) -> None:
    entries = {"Images\\a.jpg": image_bytes(1), "t.odgt": odgt({"a": []}).encode()}
    assert len(opened([write_zip(tmp_path / "x.zip", entries)])) == 1


def test_the_annotation_that_names_a_image_best_gets_it(tmp_path: Path) -> None:
    entries = {
        "001.jpg": image_bytes(1),
        "val/001.jpg": image_bytes(2),
        "t.odgt": odgt({"001": [], "val/001": []}).encode(),
    }
    source = opened([write_tree(tmp_path / "x", entries)])
    assert [item.image.where.removeprefix(f"{tmp_path}/x/") for item in source] == ["001.jpg", "val/001.jpg"]
    assert problems(source) == {}


def test_two_images_of_one_name_are_a_problem_and_unpacked_zips_are_none(tmp_path: Path) -> None:
    entries = {"train/1.jpg": image_bytes(1), "val/1.jpg": image_bytes(2), "t.odgt": odgt({"1": []}).encode()}
    folder = write_tree(tmp_path / "x", entries)
    taken = f"{folder}/val/1.jpg, for which there is {folder}/train/1.jpg"
    assert problems(opened([folder])) == {"images of a name that another has": [taken]}
    (folder / "val" / "1.jpg").unlink()
    write_zip(folder / "Images.zip", {"Images/1.jpg": image_bytes(1)})
    assert problems(opened([folder])) == {}


def test_datasets_in_the_download_folder_are_passed_over(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "t.odgt": odgt({"a": []}).encode()}
    dataset = {"00000/img00000000.png": image_bytes(2, kind="PNG"), "dataset.json": b"{}"}
    folder = write_tree(tmp_path / "x", entries)
    write_tree(folder / "made", dataset)
    write_zip(folder / "made.zip", dataset)
    source = opened([folder])
    assert (len(source), problems(source)) == (1, {})
