"""Sources of head-point datasets in text and JSON files: JHU-CROWD++ and NWPU-Crowd; and UCF-QNRF."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import FolderStore
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.detection import find_source
from crowdgan_density.sources.head_points import HeadPointReader
from crowdgan_density.sources.jhu_crowd import JhuCrowd
from crowdgan_density.sources.nwpu_crowd import NwpuCrowd
from tests.support.sources import HEAD_POINTS, image_bytes, mat_bytes, write_files, write_zip

JHU_LINES = b"10 20 6 8 1 0\n30 40 5 5 2 1\n"

NWPU = {
    "img_id": "0001.jpg",
    "human_num": 2,
    "points": [[5, 6.5], [30, 40]],
    "boxes": [[1, 2, 9, 12], [30, 40, 30, 40]],
}


def jhu_files(split: str, *numbers: int, text: bytes = JHU_LINES) -> dict[str, bytes]:
    files = {f"{split}/image_labels.txt": b"0001,2,street,0,0\n"}
    for number in numbers:
        files |= {f"{split}/images/{number:04d}.jpg": image_bytes(1), f"{split}/gt/{number:04d}.txt": text}
    return files


def nwpu_files(*numbers: int, content: object = NWPU) -> dict[str, bytes]:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {
        name: value
        for number in numbers
        for name, value in ((f"images/{number:04d}.jpg", image_bytes(1)), (f"jsons/{number:04d}.json", data))
    }


def open_detected(path: Path, name: str) -> HeadPointReader:
    source = find_source([path], None, None, installed_plugins().scene_sources)
    assert source.name == name
    reader = source.open([path], None)
    assert isinstance(reader, HeadPointReader)
    return reader


def problems(reader: HeadPointReader) -> dict[str, list[str]]:
    return {problem.reason: list(problem.names) for problem in reader.problems}


@pytest.mark.parametrize("is_archive", [False, True])
def test_jhu_is_read_from_its_root_and_its_parts_with_boxes_around_the_heads(tmp_path: Path, is_archive: bool) -> None:
    files = jhu_files("train", 1, 10) | jhu_files("val", 2, text=b"")
    path = write_zip(tmp_path / "x.zip", files) if is_archive else write_files(tmp_path / "jhu_crowd_v2.0", files)
    reader = open_detected(path, "jhu-crowd")
    names = [item.source_name for item in reader]
    assert names == ["train/images/0001.jpg", "train/images/0010.jpg", "val/images/0002.jpg"]
    first, _, empty = (item.people for item in reader)
    np.testing.assert_array_equal(first.head_boxes, [[7, 16, 6, 8], [27.5, 37.5, 5, 5]])
    assert np.isnan(first.full_boxes).all()
    assert (len(empty), problems(reader)) == (0, {})
    if not is_archive:
        assert [item.source_name for item in open_detected(path / "val", "jhu-crowd")] == ["images/0002.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"10 20 6 8 1\n", "1: 5 columns; there must be 6: x, y, width, height, occlusion, blur"),
        (JHU_LINES + b"10 2", "3: 2 columns; there must be 6: x, y, width, height, occlusion, blur"),
        (b"10 20 six 8 1 0\n", "1: '10 20 six 8 1 0' is not valid; it must be six numbers x, y, width, height, occl"),
        (b"10 nan 6 8 1 0\n", "1: '10 nan 6 8 1 0' is not valid; x, y must be finite, width, height 0 or more"),
        (b"10 20 inf 8 1 0\n", "1: '10 20 inf 8 1 0' is not valid; x, y must be finite"),
        (b"10 20 6 -8 1 0\n", "1: '10 20 6 -8 1 0' is not valid; x, y must be finite, width, height 0 or more"),
        (JHU_LINES + b"\xff\xfe\n", "3: not valid UTF-8 text (byte 1); save the file as UTF-8"),
    ],
)
def test_a_damaged_jhu_file_is_a_problem_with_the_line(tmp_path: Path, text: bytes, message: str) -> None:
    folder = write_files(tmp_path, jhu_files("train", 1) | jhu_files("train", 2, text=text))
    reader = open_detected(folder, "jhu-crowd")
    assert [item.source_name for item in reader] == ["train/images/0001.jpg"]
    [(reason, [damage])] = problems(reader).items()
    assert reason == "damaged annotations"
    assert damage.startswith(f"{folder}/train/gt/0002.txt:{message}")


def test_unmatched_jhu_files_are_problems(tmp_path: Path) -> None:
    folder = write_files(tmp_path, jhu_files("train", 1, 2, 3))
    (folder / "train" / "images" / "0002.jpg").unlink()
    (folder / "train" / "gt" / "0003.txt").unlink()
    assert problems(open_detected(folder, "jhu-crowd")) == {
        "images without annotations": ["train/images/0003.jpg"],
        "annotations without an image": ["train/gt/0002.txt"],
    }


@pytest.mark.parametrize("folder", ["labels", "annotations"])
def test_numbered_text_files_in_other_folders_are_not_jhu(tmp_path: Path, folder: str) -> None:
    files = {"images/0001.jpg": image_bytes(1), f"{folder}/0001.txt": JHU_LINES}
    assert not JhuCrowd().matches([write_files(tmp_path, files)], None)


@pytest.mark.parametrize("is_archive", [False, True])
def test_nwpu_is_read_with_boxes_and_points(tmp_path: Path, is_archive: bool) -> None:
    files = nwpu_files(2, 1) | {"images_part5/3.jpg": image_bytes(3), "jsons/3.json": b'{"points": []}'}
    path = write_zip(tmp_path / "x.zip", files) if is_archive else write_files(tmp_path / "x", files)
    reader = open_detected(path, "nwpu-crowd")
    assert [item.source_name for item in reader] == ["images/0001.jpg", "images/0002.jpg", "images_part5/3.jpg"]
    first, _, empty = (item.people for item in reader)
    np.testing.assert_array_equal(first.head_boxes, [[1, 2, 8, 10], [30, 40, 0, 0]])
    assert (len(empty), problems(reader)) == (0, {})


def test_nwpu_is_read_from_matlab_files_if_there_is_no_json(tmp_path: Path) -> None:
    boxes = np.array([[1, 2, 3, 5], [30, 17, 34, 20.0]])
    files = {f"images/{number}.jpg": image_bytes(1) for number in (1, 2, 3)}
    files |= {
        "jsons/1.json": json.dumps(NWPU).encode(),
        "mats/1.mat": b"not read",
        "mats/2.mat": mat_bytes({"annPoints": HEAD_POINTS, "annBoxes": boxes}),
        "mats/3.mat": mat_bytes({"annPoints": HEAD_POINTS}),
    }
    reader = open_detected(write_files(tmp_path, files), "nwpu-crowd")
    heads = [item.people.head_boxes.tolist() for item in reader]
    assert heads[1] == [[1, 2, 2, 3], [30, 17, 4, 3]]
    assert heads[2] == [[1.25, 2.5, 0, 0], [30, 17, 0, 0]]
    assert (heads[0][0], problems(reader)) == ([1, 2, 8, 10], {})


def test_nwpu_test_images_without_annotations_are_counted(tmp_path: Path) -> None:
    files = nwpu_files(1) | {f"images/000{number}.jpg": image_bytes(1) for number in (2, 3)}
    folder = write_files(tmp_path, files | {"train.txt": b"0001 0 1\n", "test.txt": b"\n0003 1 2\n"})
    reader = open_detected(folder, "nwpu-crowd")
    assert problems(reader) == {
        "images without annotations": ["images/0002.jpg"],
        "test images without published annotations": ["images/0003.jpg"],
    }
    assert [problem.is_error for problem in reader.problems] == [True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (json.dumps(NWPU).encode()[:-5], "not valid JSON"),
        ([1], "points is missing or invalid; it must be a list of x, y"),
        ({"points": 3}, "points is missing or invalid; it must be a list of x, y"),
        ({"points": [[1, 2], [3]]}, "points has rows of different lengths"),
        ({"points": [[1, 2, 3]]}, "points is int64 [1, 3]; it must be numbers [num_heads, 2]"),
        ({"points": [["1", "2"]]}, "points is <U1 [1, 2]; it must be numbers [num_heads, 2]"),
        ({"points": [[1, None]]}, "points is object [1, 2]; it must be numbers [num_heads, 2]"),
        (b'{"points": [[1, NaN]]}', "points contains non-finite numbers"),
        (b'{"points": [[1, 1e999]]}', "points contains non-finite numbers"),
        (NWPU | {"human_num": 3}, "human_num is 3, with 2 points; both must be equal"),
        (NWPU | {"boxes": [[1, 2, 3, 4]]}, "1 boxes and 2 points; there must be one box per point"),
        (NWPU | {"boxes": [[1, 2, 3]] * 2}, "boxes is int64 [2, 3]; it must be numbers [num_heads, 4]"),
    ],
)
def test_a_damaged_nwpu_file_is_a_problem(tmp_path: Path, content: object, message: str) -> None:
    folder = write_files(tmp_path, nwpu_files(1) | nwpu_files(2, content=content))
    reader = open_detected(folder, "nwpu-crowd")
    assert [item.source_name for item in reader] == ["images/0001.jpg"]
    [(reason, [damage])] = problems(reader).items()
    assert reason == "damaged annotations"
    assert damage.startswith(f"{folder}/jsons/0002.json: {message}")


def test_a_nwpu_matlab_file_without_points_is_an_error(tmp_path: Path) -> None:
    write_files(tmp_path, {"mats/1.mat": mat_bytes({"annBoxes": np.zeros((1, 4))})})
    with pytest.raises(DatasetError, match="mats/1.mat: the variable annPoints is missing"):
        NwpuCrowd().read_heads(FolderStore(tmp_path), "mats/1.mat")


def test_json_files_next_to_numbered_images_are_not_nwpu(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"0001.jpg": image_bytes(1), "0001.json": b'{"shapes": []}'})
    assert not NwpuCrowd().matches([folder], None)


def test_qnrf_is_read_from_its_root_and_its_parts(tmp_path: Path) -> None:
    files = {}
    for name in ("Train/img_0001", "Train/img_0010", "Test/img_0001"):
        files |= {f"{name}.jpg": image_bytes(1), f"{name}_ann.mat": mat_bytes({"annPoints": HEAD_POINTS})}
    folder = write_files(tmp_path / "UCF-QNRF_ECCV18", files)
    reader = open_detected(folder, "ucf-qnrf")
    assert [item.source_name for item in reader] == [
        "Test/img_0001.jpg",
        "Train/img_0001.jpg",
        "Train/img_0010.jpg",
    ]
    np.testing.assert_array_equal(next(iter(reader)).people.head_boxes, [[0.75, 2.0, 0, 0], [29.5, 16.5, 0, 0]])
    assert len(open_detected(folder / "Train", "ucf-qnrf")) == 2
    (folder / "Test" / "img_0001_ann.mat").write_bytes(mat_bytes({"annPoints": HEAD_POINTS})[:150])
    [(reason, [damage])] = problems(open_detected(folder, "ucf-qnrf")).items()
    assert (reason, damage.split(": ")[0]) == ("damaged annotations", f"{folder}/Test/img_0001_ann.mat")
