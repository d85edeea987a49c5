"""The CrowdHuman source: layouts, annotation lines, and problems."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanReader, CrowdHumanSource, parse_line
from crowdgan_core.sources.detection import find_source
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
        (
            '{"ID": "a", "gtboxes": [{"fbox": [1, 2, 3, 4]}, {"fbox": [1, 2, 3, "4"]}]}',
            'fbox is [1, 2, 3, "4"]; it must be four numbers x, y, width, height',
        ),
        ('{"ID": "a", "gtboxes": [{"fbox": [1, 2, 3, 4], "extra": 1}]}', "extra is int; it must be a JSON object"),
    ],
)
def test_an_invalid_line_is_an_error_with_file_and_line_number(line: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse_line(line, "annotation_train.odgt:812")
    assert str(caught.value).startswith("annotation_train.odgt:812: ")
    assert message in str(caught.value)


VALID_BOXES = {"tag": "person", "fbox": [1, 2, 3, 4], "vbox": [1, 2, 3, 4], "hbox": [1, 2, 3, 4]}


@pytest.mark.parametrize("key", ["fbox", "vbox", "hbox"])
@pytest.mark.parametrize(
    "box",
    [
        *("[1, 2, 3, 0]", "[1, 2, 0, 4]", "[1, 2, -3, 4]", "[NaN, 2, 3, 4]", "[1, 2, NaN, 4]", "[1, 2, Infinity, 4]"),
        *("[1, 2, 3, -Infinity]", "[1e7, 2, 3, 4]", f"[1, 2, 3, 1{'0' * 400}]", "[1, 2, 3, 1e308]"),
    ],
)
def test_a_person_with_an_invalid_box_counts_without_that_box_and_is_counted(
    tmp_path: Path, key: str, box: str
) -> None:
    rows = [json.dumps(VALID_BOXES), json.dumps(VALID_BOXES | {key: "BOX"}).replace('"BOX"', box)]
    line = f'{{"ID": "a", "gtboxes": [{", ".join(rows)}]}}'
    people = parse_line(line, "a.odgt:1")[1]
    assert people.person_count == 2
    for name, boxes in (("fbox", people.full_boxes), ("vbox", people.visible_boxes), ("hbox", people.head_boxes)):
        assert boxes[0].tolist() == [1, 2, 3, 4]
        assert np.isnan(boxes[1]).all() if name == key else boxes[1].tolist() == [1, 2, 3, 4]
    folder = write_files(tmp_path / "x", {"a.jpg": image_bytes(1), "t.odgt": line.encode()})
    source = open_crowdhuman([folder])
    assert [item.people.person_count for item in source] == [2]
    [problem] = source.problems
    assert problem.reason == "boxes without a valid position and size, whose people are counted without them"
    assert (problem.names, problem.is_error) == ([f"{folder}/t.odgt:1: gtboxes[1].{key}"], False)


def test_missing_boxes_and_ignore_regions_of_size_0_are_not_counted_as_invalid(tmp_path: Path) -> None:
    region = {"tag": "mask", "fbox": [1, 2, 0, 0], "vbox": [1, 2, 0, 0], "extra": {"ignore": 1}}
    rows = [{"tag": "person", "fbox": [1, 2, 3, 4], "hbox": None}, region]
    line = json.dumps({"ID": "a", "gtboxes": rows})
    source = open_crowdhuman([write_files(tmp_path / "x", {"a.jpg": image_bytes(1), "t.odgt": line.encode()})])
    assert source.problems == []
    [item] = source
    assert item.people.full_boxes[1].tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize("extra", [{"extra": None}, {}, {"extra": {}}, {"extra": {"ignore": 0}}])
def test_a_row_without_extra_data_is_a_person(extra: dict[str, object]) -> None:
    people = parse_line(json.dumps({"ID": "a", "gtboxes": [VALID_BOXES | extra]}), "a.odgt:1")[1]
    assert people.person_count == 1


NFC, NFD = "caf\u00e9 \ud55c", "cafe\u0301 \u1112\u1161\u11ab"


@pytest.mark.parametrize("is_archive", [True, False])
@pytest.mark.parametrize(
    ("image", "image_id"),
    [
        (f"Images/{NFD}.jpg", NFC),
        (f"Images/{NFC}.jpg", f"{NFD}.jpg"),
        ("Images/p0.jpg", "Images\\p0.jpg"),
        ("Images/p0.jpg", "Images\\p0"),
        ("Images/p0.jpg", ".\\Images\\p0"),
        ("Images/p0.jpg", "./Images//p0.jpg"),
        ("mydata/Images/p0.jpg", "Images\\p0.jpg"),
        (f"mydata/Images/{NFD}/p0.jpg", f"Images/{NFC}/p0"),
    ],
)
def test_image_ids_may_differ_in_bytes_from_the_names_of_the_images(
    tmp_path: Path, is_archive: bool, image: str, image_id: str
) -> None:
    root = "mydata/" if image.startswith("mydata") else ""
    entries = {image: image_bytes(1), f"{root}t.odgt": odgt({image_id: [person(1, 1)]}).encode()}
    path = write_zip(tmp_path / "x.zip", entries) if is_archive else write_files(tmp_path / "x", entries)
    source = open_crowdhuman([path])
    assert [(item.source_name, item.people.person_count) for item in source] == [(image_id, 1)]
    assert [item.image.open().size for item in source] == [(80, 60)]
    assert source.problems == []


def test_ids_that_are_the_same_name_are_repeated(tmp_path: Path) -> None:
    text = odgt({"Images/a": [], "Images\\a": []})
    source = open_crowdhuman([write_files(tmp_path / "x", {"Images/a.jpg": image_bytes(1), "t.odgt": text.encode()})])
    assert (len(source), list(problem_names(source))) == (1, ["annotations with a repeated ID"])


@pytest.mark.parametrize("is_archive", [True, False])
def test_system_files_are_neither_images_nor_annotations(tmp_path: Path, is_archive: bool) -> None:
    entries = {
        "Images/p0.jpg": image_bytes(1),
        "t.odgt": odgt({"p0": []}).encode(),
        **dict.fromkeys(["Images/._p0.jpg", "._t.odgt", "__MACOSX/._t.odgt", "x/__MACOSX/p1.jpg", ".DS_Store"], b"\0"),
    }
    path = write_zip(tmp_path / "x.zip", entries) if is_archive else write_files(tmp_path / "x", entries)
    source = open_crowdhuman([path])
    assert (len(source), source.problems) == (1, [])


@pytest.mark.parametrize("name", ["CrowdHuman_train02.zip", "CrowdHuman_train02.zip.part"])
@pytest.mark.parametrize("num_bytes", [0, 3, 100, 1000])
def test_an_incomplete_archive_in_a_download_folder_is_an_error(
    write_crowdhuman: WriteSource, name: str, num_bytes: int
) -> None:
    paths, _ = write_crowdhuman("download")
    data = (paths[0] / "CrowdHuman_train02.zip").read_bytes()
    (paths[0] / "CrowdHuman_train02.zip").unlink()
    (paths[0] / name).write_bytes(data[:num_bytes])
    assert CrowdHumanSource().matches(paths, None)
    with pytest.raises(DatasetError, match=f"{name}: incomplete ZIP archive .* download or copy it again"):
        CrowdHumanSource().open(paths, None)


def test_an_incomplete_archive_of_test_images_or_a_system_file_is_ignored(write_crowdhuman: WriteSource) -> None:
    paths, _ = write_crowdhuman("download")
    for name in ("CrowdHuman_test.zip", "._CrowdHuman_train01.zip"):
        (paths[0] / name).write_bytes(b"PK\3\4")
    assert (len(open_crowdhuman(paths)), open_crowdhuman(paths).problems) == (5, [])


def test_archives_next_to_annotations_in_a_subfolder_are_read(write_crowdhuman: WriteSource) -> None:
    paths, _ = write_crowdhuman("download")
    source = open_crowdhuman([paths[0].parent])
    assert (len(source), source.problems) == (5, [])


def test_images_in_unsupported_formats_are_counted(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "b.tif": b"", "t.odgt": odgt({"a": [], "b": []}).encode()}
    source = open_crowdhuman([write_files(tmp_path / "x", entries)])
    assert [(problem.reason, list(problem.names), problem.is_error) for problem in source.problems] == [
        ("annotations without an image", ["b"], True),
        ("image files in unsupported formats", [f"{tmp_path}/x/b.tif"], False),
    ]


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


ADE20K = b'{"fpath_img": "a.jpg", "fpath_segm": "a.png", "width": 80, "height": 60}\n'
OBJECTS = b'{"fpath": "a.jpg", "gtboxes": [{"box": [1, 2, 3, 4], "tag": "person"}]}\n'
IMAGES = {f"Images/{letter}.jpg": image_bytes(1) for letter in "ab"}
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 8, 24]}],
        "categories": [{"id": 1, "name": "person"}],
    }
).encode()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.odgt": ADE20K}, "folder"),
        ({"a.odgt": OBJECTS}, "folder"),
        ({"a.odgt": b""}, "folder"),
        ({"a.odgt": bytes(range(256))}, "folder"),
        ({"annotation_train.json": COCO}, "coco"),
        ({"annotations/annotation_train.json": COCO}, "coco"),
        ({"annotation_train.json": COCO, "a.odgt": ADE20K}, "coco"),
        ({"annotation_train.json": COCO, "a.odgt": odgt({"a": []}).encode()}, "crowdhuman"),
        ({"a.odgt": b"damaged\n" + odgt({"a": []}).encode()}, "crowdhuman"),
        ({"a.odgt": b'{"ID": "a", "gtboxes": [{"tag": "per'}, "crowdhuman"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "CrowdHuman_train/"])
def test_a_folder_is_detected_by_the_contents_of_its_annotations(
    tmp_path: Path, files: dict[str, bytes], expected: str, prefix: str
) -> None:
    folder = write_files(tmp_path, {f"{prefix}{name}": data for name, data in {**IMAGES, **files}.items()})
    assert find_source([folder], None, None, installed_plugins().scene_sources).name == expected


def test_an_annotation_file_of_another_dataset_is_an_error_that_names_its_lines(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {**IMAGES, "a.odgt": ADE20K})
    source = find_source([folder], folder / "a.odgt", None, installed_plugins().scene_sources)
    assert problem_names(source.open([folder], folder / "a.odgt"))["damaged annotation lines"] == [
        f"{folder}/a.odgt:1: ID is missing or invalid; it must be the name of the image"
    ]


def test_a_foreign_annotation_file_without_the_suffix_matches_no_source(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {**IMAGES, "a.xml": b"<annotation/>", "a.txt": odgt({"a": []}).encode()})
    sources = installed_plugins().scene_sources
    with pytest.raises(ConfigError, match=r"with --annotations .*a.xml: no source matches; supported are crowdhuman"):
        find_source([folder], folder / "a.xml", None, sources)
    assert find_source([folder], folder / "a.txt", None, sources).name == "crowdhuman"
