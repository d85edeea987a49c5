"""Tables of people: columns, CSV and JSON, images, and damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.annotation_files.collected import CollectedReader
from crowdgan_core.sources.annotation_files.columns import IMAGE_COLUMNS
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.detection import find_source
from crowdgan_core.sources.table import TableSource
from tests.support.sources import image_bytes, odgt, write_files, write_zip

IMAGES = {"a.jpg": image_bytes(1), "b.png": image_bytes(2, image_format="PNG")}

ROWS = "a.jpg,10,20,8,24\nb.png,1.5,2,3,4\na.jpg,30,20,8,24\n"
"""Two people in the first image, and one in the second; the rows of an image do not follow one another."""

HEADER = "image,x,y,w,h\n"


def write_table(folder: Path, text: str | bytes, name: str = "boxes.csv") -> Path:
    data = text.encode() if isinstance(text, str) else text
    return write_files(folder, {**IMAGES, name: data}) / name


def open_table(path: Path, *others: Path) -> CollectedReader:
    assert find_source([path, *others], None, None, installed_plugins().scene_sources).name == "table"
    return TableSource().open([path, *others], None)


def full_boxes(source: SourceReader) -> dict[str, list[list[float]]]:
    return {item.source_name: item.people.full_boxes.tolist() for item in source}


def problems(source: SourceReader) -> dict[str, list[str]]:
    return {problem.reason: list(problem.names) for problem in source.problems}


EXPECTED = {"a.jpg": [[10, 20, 8, 24], [30, 20, 8, 24]], "b.png": [[1.5, 2, 3, 4]]}


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS,
        "\n" + HEADER + "\n" + ROWS.replace("\n", "\r\n\r\n"),
        "\ufeff" + HEADER + ROWS,
        "Image, X, Y, W, H\n" + ROWS.replace(",", ", "),
        '"File-Name","Left","Top","Width","Height"\n' + ROWS.replace("a.jpg", '"a.jpg"'),
        "frame;bbox_left;bbox_top;bbox_width;bbox_height\n" + ROWS.replace(",", ";").replace("1.5", "1,5"),
        "path\tbb left\tbb top\tbb width\tbb height\n" + ROWS.replace(",", "\t"),
        "filename,width,height,xmin,ymin,xmax,ymax\n"
        "a.jpg,80,60,10,20,18,44\nb.png,80,60,1.5,2,4.5,6\na.jpg,80,60,30,20,38,44\n",
        "img,x1,y1,x2,y2\na.jpg,10,20,18,44\nb.png,1.5,2,4.5,6\na.jpg,30,20,38,44\n",
        "img,left,top,right,bottom,score\na,10,20,18,44,1\nb,1.5,2,4.5,6,1\na,30,20,38,44,0.5\n",
    ],
)
def test_columns_and_delimiters_are_detected(tmp_path: Path, text: str) -> None:
    source = open_table(write_table(tmp_path, text))
    assert list(full_boxes(source).values()) == list(EXPECTED.values())
    assert problems(source) == {}
    assert [item.image.open().size for item in source] == [(80, 60)] * 2


@pytest.mark.parametrize("column", IMAGE_COLUMNS)
def test_every_name_of_the_image_column_is_accepted(tmp_path: Path, column: str) -> None:
    assert full_boxes(open_table(write_table(tmp_path, f"{column.upper()},x,y,w,h\n{ROWS}"))) == EXPECTED


def as_rows() -> list[dict[str, object]]:
    return [
        {"image": image, "x": box[0], "y": box[1], "w": box[2], "h": box[3]}
        for image, boxes in EXPECTED.items()
        for box in boxes
    ]


@pytest.mark.parametrize(
    "content",
    [
        as_rows(),
        {image: [row for row in as_rows() if row["image"] == image] for image in EXPECTED},
        {image: [dict(zip("xywh", box, strict=True)) for box in boxes] for image, boxes in EXPECTED.items()},
    ],
)
def test_json_rows_are_read(tmp_path: Path, content: object) -> None:
    source = open_table(write_table(tmp_path, json.dumps(content, indent=1), "boxes.json"))
    assert (full_boxes(source), problems(source)) == (EXPECTED, {})


@pytest.mark.parametrize(
    ("header", "cells"),
    [("x,y", "3,4"), ("head_x,head_y", "3,4"), ("Col,Row", "3,4"), ("head_x,head_y,head_w,head_h", "3,4,0,0")],
)
def test_head_points_become_head_boxes_of_size_0(tmp_path: Path, header: str, cells: str) -> None:
    source = open_table(write_table(tmp_path, f"image,{header}\na.jpg,{cells}\nb.png,{cells}\n"))
    first = next(iter(source))
    assert first.people.head_boxes.tolist() == [[3, 4, 0, 0]]
    assert np.isnan(first.people.full_boxes).all()
    assert (first.people.person_count, problems(source)) == (1, {})


def test_visible_and_head_boxes_are_read(tmp_path: Path) -> None:
    header = "image,x,y,w,h,visible_x,visible_y,visible_w,visible_h,head_x1,head_y1,head_x2,head_y2\n"
    text = header + "a,1,2,30,40,1,2,30,20,5,2,9,7\na,1,2,30,40,,,,,,,,\nb,1,2,3,4,1,2,3,4,1,2,3,4\n"
    people = next(iter(open_table(write_table(tmp_path, text)))).people
    assert people.full_boxes.tolist() == [[1, 2, 30, 40]] * 2
    assert people.visible_boxes[0].tolist() == [1, 2, 30, 20]
    assert people.head_boxes[0].tolist() == [5, 2, 4, 5]
    assert np.isnan([people.visible_boxes[1], people.head_boxes[1]]).all()


def test_flags_and_classes_select_people_and_ignore_regions(tmp_path: Path) -> None:
    rows = ["person,0", "Pedestrian,", ",false", "person,1", "crowd,0", "car,0", "car,0", "bicycle,0"]
    text = "image,x,y,w,h,class,ignore\n" + "".join(f"a,1,2,3,4,{row}\n" for row in rows) + "b,1,2,3,4,car,\n"
    source = open_table(write_table(tmp_path, text))
    first, second = (item.people for item in source)
    assert first.ignore.tolist() == [False, False, False, True, True]
    assert first.tagged_person.tolist() == [True, True, True, True, False]
    assert len(second) == 0
    [problem] = source.problems
    assert (problem.reason, problem.names, problem.is_error) == (
        "classes that are not people, not used",
        ["car: 3", "bicycle: 1"],
        False,
    )


def test_mostly_unused_classes_ask_for_a_check(tmp_path: Path) -> None:
    rows = ["person", "visitor", "visitor", "head", "head"]
    text = "image,x,y,w,h,class\n" + "".join(f"a,1,2,3,9,{row}\n" for row in rows) + "b,,,,,\n"
    [problem] = open_table(write_table(tmp_path, text)).problems
    assert problem.reason.endswith("though half or more of the rows (is a class of people among them?)")
    assert (problem.names, problem.is_error) == (["visitor: 2", "head: 2"], False)


def test_heads_are_people_unless_the_table_has_full_boxes(tmp_path: Path) -> None:
    source = open_table(write_table(tmp_path / "heads", "image,x,y,class\na,1,2,head\nb,1,2,Head\n"))
    assert [item.people.person_count for item in source] == [1, 1]
    text = "image,x,y,w,h,class\na,1,2,30,90,person\na,10,2,9,9,head\nb,,,,,\n"
    source = open_table(write_table(tmp_path / "both", text))
    assert [item.people.person_count for item in source] == [1, 0]
    assert problems(source) == {"classes that are not people, not used": ["head: 1"]}


def test_an_image_with_an_empty_row_has_no_people(tmp_path: Path) -> None:
    source = open_table(write_table(tmp_path, HEADER + "a.jpg,1,2,3,4\nb.png,,,,\n"))
    assert full_boxes(source) == {"a.jpg": [[1, 2, 3, 4]], "b.png": []}
    content = {"a.jpg": [], "b.png": [{"x": 1, "y": 2, "w": 3, "h": 4}]}
    source = open_table(write_table(tmp_path / "json", json.dumps(content), "t.json"))
    assert full_boxes(source) == {"a.jpg": [], "b.png": [[1, 2, 3, 4]]}


def test_images_are_found_beside_the_table_in_a_subfolder_in_another_source_or_in_an_archive(tmp_path: Path) -> None:
    table = HEADER.encode() + ROWS.encode()
    images = {f"Images/{name}": data for name, data in IMAGES.items()}
    folder = write_files(tmp_path / "a", {**images, "boxes.csv": table})
    archive = write_zip(tmp_path / "b.zip", {**images, "boxes.csv": table})
    nested = write_zip(tmp_path / "c.zip", {f"top/{name}": data for name, data in (*images.items(), ("t.csv", table))})
    separate = write_files(tmp_path / "d", IMAGES)
    sources = [open_table(path) for path in (folder, folder / "boxes.csv", archive, nested)]
    sources.append(open_table(folder / "boxes.csv", separate))
    for source in sources:
        assert (full_boxes(source), problems(source)) == (EXPECTED, {})
    annotated = find_source([separate], folder / "boxes.csv", None, installed_plugins().scene_sources)
    assert full_boxes(annotated.open([separate], folder / "boxes.csv")) == EXPECTED
    assert len(sources[0]) == 2
    assert full_boxes(sources[0]) == EXPECTED, "a reader can be iterated again"


def test_names_may_be_paths_in_any_unicode_form_and_with_backslashes(tmp_path: Path) -> None:
    text = HEADER + "s1\\a.jpg,1,2,3,4\ns2/a.jpg,5,6,7,8\ncafe\u0301.jpg,1,1,1,1\n"
    entries = {"s1/a.jpg": IMAGES["a.jpg"], "s2/a.jpg": IMAGES["a.jpg"], "caf\u00e9.jpg": IMAGES["a.jpg"]}
    source = open_table(write_files(tmp_path, {**entries, "t.csv": text.encode()}))
    assert [item.image.where for item in source] == [f"{tmp_path}/{name}" for name in entries]
    assert problems(source) == {}


def test_unmatched_images_and_rows_are_problems(tmp_path: Path) -> None:
    path = write_table(tmp_path, HEADER + "a.jpg,1,2,3,4\nc.jpg,1,2,3,4\n")
    assert problems(open_table(path)) == {
        "annotations without an image": [f"{path}:3: image c.jpg"],
        "images without an annotation": [f"{tmp_path}/b.png"],
    }


def test_an_image_in_two_tables_is_a_problem(tmp_path: Path) -> None:
    write_table(tmp_path, HEADER + ROWS)
    write_table(tmp_path, HEADER + "a.jpg,1,1,1,1\n", "copy.tsv")
    source = open_table(tmp_path)
    assert full_boxes(source) == EXPECTED
    repeated = f"{tmp_path}/copy.tsv:2: image a.jpg, first used in {tmp_path}/boxes.csv:2"
    assert problems(source) == {"images with annotations in several files": [repeated]}


@pytest.mark.parametrize("box", ["1,2,0,4", "1,2,3,-4", "nan,2,3,4", "1,2,inf,4", "1,2,3,-inf", "1e7,2,3,4"])
def test_a_person_with_an_invalid_box_counts_without_it(tmp_path: Path, box: str) -> None:
    path = write_table(tmp_path, HEADER + f"a.jpg,1,2,3,4\na.jpg,{box}\nb.png,,,,\n")
    source = open_table(path)
    people = next(iter(source)).people
    assert people.person_count == 2
    assert np.isnan(people.full_boxes[1]).all()
    [problem] = source.problems
    assert problem.reason == "boxes without a valid position and size, whose people are counted without them"
    assert (problem.names, problem.is_error) == ([f"{path}:3: full_box"], False)


@pytest.mark.parametrize("size", ["-5,5", "5,-5", "0,5", "nan,0"])
def test_a_head_box_without_a_valid_size_is_missing(tmp_path: Path, size: str) -> None:
    path = write_table(tmp_path, f"image,head_x,head_y,head_w,head_h\na,10,20,{size}\nb,10,20,5,5\n")
    source = open_table(path)
    first, second = (item.people for item in source)
    assert np.isnan(first.head_boxes).all()
    assert (first.person_count, second.head_boxes.tolist()) == (1, [[10, 20, 5, 5]])
    assert list(problems(source).values()) == [[f"{path}:2: head_box"]]


@pytest.mark.parametrize("header", ["x,y,w,h", "x1,y1,x2,y2", "visible_x,visible_y,visible_w,visible_h,x,y"])
def test_fractions_of_the_image_size_are_an_error(tmp_path: Path, header: str) -> None:
    cells = ",".join(["0.25", "0.5", "0.75", "1", "0", "0"][: header.count(",") + 1])
    path = write_table(tmp_path, f"image,{header}\n" + f"a,{cells}\n" * 5)
    with pytest.raises(DatasetError) as error:
        open_table(path)
    problem = "all coordinates in the file are from -1 to 1; they must be pixels, not fractions of the image size"
    assert str(error.value) == f"{path}:2: {problem}"


DAMAGED = "damaged annotations, whose images are not used"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,1,2,3", "4 cells; the header has 5 columns"),
        ("a.jpg,1,2,3,4,5", "6 cells; the header has 5 columns"),
        ("a.jpg", "1 cells; the header has 5 columns"),
        ("a.jpg,1,two,3,4", "y is 'two'; it must be a number"),
        ("a.jpg,1_0,2,3,4", "x is '1_0'; it must be a number"),
        ("a.jpg,1,,3,4", "y is empty; a box needs all its columns, or none"),
        (f"a.jpg,{'9' * 50}x,2,3,4", f"x is '{'9' * 39}…; it must be a number"),
    ],
)
def test_an_image_with_a_damaged_row_is_not_used(tmp_path: Path, row: str, message: str) -> None:
    path = write_table(tmp_path, HEADER + f"{row}\n" + ROWS)
    source = open_table(path)
    assert (full_boxes(source), len(source)) == ({"b.png": [[1.5, 2, 3, 4]]}, 1)
    assert problems(source) == {DAMAGED: [f"{path}:2: {message}"]}
    assert source.problems[0].is_error


def test_a_row_without_an_image_name_is_damaged(tmp_path: Path) -> None:
    path = write_table(tmp_path, HEADER + ROWS + " ,1,2,3,4\n")
    source = open_table(path)
    assert full_boxes(source) == EXPECTED
    assert problems(source) == {DAMAGED: [f"{path}:5: the image is ''; it must be the name of an image"]}


@pytest.mark.parametrize(
    ("columns", "cell", "message"),
    [
        ("ignore", "maybe", "the ignore flag is 'maybe'; it must be 0 or 1"),
        ("label", "1", "the class is '1'; it must be a name such as person, not a number"),
    ],
)
def test_flags_and_classes_of_other_values_are_damaged(tmp_path: Path, columns: str, cell: str, message: str) -> None:
    path = write_table(tmp_path, f"image,x,y,w,h,{columns}\na.jpg,1,2,3,4,{cell}\nb.png,1,2,3,4,\n")
    assert problems(open_table(path)) == {DAMAGED: [f"{path}:2: {message}"]}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3", "[0]: the row is int; it must be a JSON object"),
        ('{"x": 1, "y": 2}', "[0]: the image is null; it must be the name of an image"),
        ('{"image": ["a"], "x": 1, "y": 2}', '[0]: the image is ["a"]; it must be the name of an image'),
        ('{"image": "a.jpg", "x": "1", "y": 2}', "[0]: x is '1'; it must be a number"),
        ('{"image": "a.jpg", "x": true, "y": 2}', "[0]: x is true; it must be a number"),
        ('{"image": "a.jpg", "x": [1], "y": 2}', "[0]: x is [1]; it must be a number"),
        ('{"image": "a.jpg", "x": 1}', "[0]: y is empty; a box needs all its columns, or none"),
    ],
)
def test_damaged_json_rows_are_problems(tmp_path: Path, row: str, message: str) -> None:
    path = write_table(tmp_path, f'[{row}, {{"image": "b.png", "x": 1, "y": 2}}]', "t.json")
    source = TableSource().open([path], None)
    assert problems(source)[DAMAGED] == [f"{path}{message}"]
    assert [item.source_name for item in source] == ["b.png"]


def test_a_json_number_above_the_largest_float_is_an_invalid_box(tmp_path: Path) -> None:
    path = write_table(tmp_path, f'[{{"image": "a", "x": 1{"0" * 400}, "y": 2}}, {{"image": "b"}}]', "t.json")
    source = open_table(path)
    assert [item.people.person_count for item in source] == [1, 0]
    assert list(problems(source).values()) == [[f"{path}[0]: head_box"]]


ACCEPTED = "accepted are image (or file, filename, path, frame, ...), and x, y, w, h or x1, y1, x2, y2 of a box"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("picture,x,y,w,h", "no image column; found columns picture, x, y, w, h; "),
        ("image,x,w,h", "no columns of a full box, head box or head point; found columns image, x, w, h; "),
        ("image,width,height", "no columns of a full box, head box or head point; found columns image, width, height"),
        ("image,path,x,y", "several columns of image: image, path; keep one; found columns"),
        ("image,x,bbox_x,y,w,h", "several columns of x: x, bbox_x; keep one; found columns"),
        ("image,x,X,y,w,h", "column X is repeated; found columns"),
        ("image,x,y,w,h,x1,y1,x2,y2", "the full box has both a size and two corners; keep one"),
        ("image,x,y,head_x,head_y", "two columns of head points or boxes: x, y and head_x, head_y; keep one"),
        ("image,x,y,w", "the columns of the full box are incomplete, with w; found columns image, x, y, w"),
        ("image,col,row,Height", "the columns of the full box are incomplete, with height; found columns"),
        ("image,x,y,w,h,visible_x,visible_y", "the columns of the visible box are incomplete, with visible_x, visible"),
        ("image,x,y,w,h,head_x,head_y,head_w", "the columns of the head box are incomplete, with head_w; found"),
        ("image,x,y,label,class", "several columns of class: class, label; keep one"),
        ("a.jpg,10,20,8,24", "no image column; found columns a.jpg, 10, 20, 8, 24; "),
    ],
)
def test_missing_ambiguous_and_repeated_columns_are_errors(tmp_path: Path, header: str, message: str) -> None:
    path = write_table(tmp_path, f"{header}\n{ROWS}")
    with pytest.raises(DatasetError) as error:
        open_table(path)
    assert str(error.value).startswith(f"{path}:1: {message}")
    assert ACCEPTED in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", ": the file is empty; its first line must have the column names"),
        (b"\n \n", ": the file is empty; its first line must have the column names"),
        (HEADER.encode("utf-16"), ":1: not valid UTF-8 text (byte 1); save the file as UTF-8"),
        (HEADER.encode() + b"a.jpg,1,2,3,4\ncaf\xe9.jpg,1,2,3,4\n", ":3: not valid UTF-8 text (byte 4)"),
        (HEADER.encode() + b'a.jpg,1,2,3,4\n"a.jpg,1,2,3,4\nb', ":4: not valid CSV (unexpected end of data)"),
        (HEADER.encode() + b"a" * 200_000 + b",1,2,3,4\n", ":2: not valid CSV (field larger than field limit"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ":1: not valid UTF-8 text (byte 1)"),
    ],
)
def test_files_that_are_not_csv_are_errors_with_the_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = write_table(tmp_path, data)
    with pytest.raises(DatasetError) as error:
        open_table(path)
    assert str(error.value).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": not valid JSON"),
        ('[{"image": "a.jpg", "x": 1, "y": 2}, {"ima', ": not valid JSON"),
        ("[" * 100_000, ": not valid JSON"),
        ("[]", ": no rows; a table is a list of JSON objects, or an object of image names and such lists"),
        ("3", ": no rows; a table is a list"),
        ('{"a.jpg": 3}', ": a.jpg is int; it must be the list of the image's people, which may be empty"),
        ('[{"image": "a.jpg", "x": 1}]', ": no columns of a full box, head box or head point; found columns image, x;"),
    ],
)
def test_json_of_another_structure_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = write_table(tmp_path, text, "t.json")
    with pytest.raises(DatasetError) as error:
        open_table(path)
    assert str(error.value).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    "entries",
    [
        {"notes.csv": b"name,value\na,1\n"},
        {"densities.csv": b"image,density_per_m2\na.jpg,1\n"},
        {"truth.json": b'{"pictures": {"a": {"density_per_m2": 1}}}'},
        {"list.json": b'["a.jpg"]'},
        {"empty.json": b"", "empty.csv": b"", "binary.csv": bytes(range(256))},
        {"labels/t.csv": HEADER.encode() + ROWS.encode()},
        {"a.json": json.dumps({"shapes": [{"label": "person", "points": [[1, 2]]}]}).encode()},
    ],
)
def test_a_folder_of_images_with_other_files_is_not_a_table(tmp_path: Path, entries: dict[str, bytes]) -> None:
    folder = write_files(tmp_path, {**IMAGES, **entries})
    assert find_source([folder], None, None, installed_plugins().scene_sources).name == "folder"
    with pytest.raises(DatasetError, match="contains no CSV or JSON file with columns of images and of boxes"):
        TableSource().open([folder], None)


def test_a_table_next_to_crowdhuman_annotations_is_additional_data(tmp_path: Path) -> None:
    write_table(tmp_path, HEADER + ROWS)
    write_files(tmp_path, {"t.odgt": odgt({"a": [], "b": []}).encode()})
    assert find_source([tmp_path], None, None, installed_plugins().scene_sources).name == "crowdhuman"
    assert find_source([tmp_path / "boxes.csv"], None, None, installed_plugins().scene_sources).name == "table"


def test_many_images_without_people_before_the_first_person_are_detected(tmp_path: Path) -> None:
    content: dict[str, object] = {f"{index}.jpg": [] for index in range(200)}
    content["a.jpg"] = [{"x": 1, "y": 2}]
    write_table(tmp_path, json.dumps(content), "t.json")
    assert TableSource().matches([tmp_path], None)
