"""The MOTChallenge source: layouts, classes and flags, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.annotation_files.collected import MOSTLY_UNUSED_CLASSES, CollectedReader
from crowdgan_core.sources.detection import find_source
from crowdgan_core.sources.mot import MotSource
from tests.support.sources import image_bytes, write_files, write_zip

DAMAGED = "damaged annotations, whose images are not used"

ROWS = "2,1,11,21,8,24,1,1,1\n1,1,10.5,21,8,24,1,1,0.5\n1,2,31,21,8,24,1,1,1\n"


def sequence(text: str = ROWS, annotations: str = "gt/gt.txt", folder: str = "img1") -> dict[str, bytes]:
    """Three frames, the last without people."""
    frames = {f"{folder}/{frame:06d}.jpg": image_bytes(frame) for frame in (1, 2, 3)}
    return frames | {annotations: text.encode()}


def below(prefix: str, entries: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{prefix}/{name}": data for name, data in entries.items()}


def open_mot(*paths: Path) -> CollectedReader:
    assert find_source(paths, None, None, installed_plugins().scene_sources).name == "mot"
    return MotSource().open(paths, None)


def problems(source: CollectedReader) -> dict[str, list[str]]:
    return {problem.reason: list(problem.names) for problem in source.problems}


def test_a_sequence_is_read_with_positions_from_the_corner_of_the_image(tmp_path: Path) -> None:
    source = open_mot(write_files(tmp_path, sequence()))
    assert [item.source_name for item in source] == [f"img1/00000{frame}.jpg" for frame in (1, 2, 3)]
    assert [item.people.full_boxes.tolist() for item in source] == [
        [[9.5, 20, 8, 24], [30, 20, 8, 24]],
        [[10, 20, 8, 24]],
        [],
    ]
    assert [item.image.open().size for item in source] == [(80, 60)] * 3
    assert np.isnan(next(iter(source)).people.visible_boxes).all()
    assert (len(source), source.problems) == (3, [])


def test_folders_and_archives_of_sequences_are_read(tmp_path: Path) -> None:
    entries = below("train/A", sequence()) | below("train/B", sequence("1,1,2,3,4,5,1,1,1\n"))
    folder, archive = write_files(tmp_path / "x", entries), write_zip(tmp_path / "x.zip", entries)
    names = [f"train/{name}/img1/00000{frame}.jpg" for name in "AB" for frame in (1, 2, 3)]
    for source in (open_mot(folder), open_mot(archive)):
        assert [item.source_name for item in source] == names
        assert [item.people.person_count for item in source] == [2, 1, 0, 1, 0, 0]
        assert source.problems == []
    first, second = folder / "train" / "A", folder / "train" / "B"
    assert [item.source_name for item in open_mot(first, second)] == [f"{folder}/{name}" for name in names]


def test_the_image_folder_of_seqinfo_is_used(tmp_path: Path) -> None:
    info = b"[Sequence]\nname=A\nimDir=frames\nframeRate=30\nseqLength=3\nimExt=.jpg\n"
    source = open_mot(write_files(tmp_path, sequence(folder="frames") | {"seqinfo.ini": info}))
    assert [item.people.person_count for item in source] == [2, 1, 0]


@pytest.mark.parametrize("data", [b"imDir=frames\n", b"[Sequence\n", b"[Sequence]\nimDir=a\nimDir=b\n", b"\xff\n"])
def test_a_damaged_seqinfo_is_an_error(tmp_path: Path, data: bytes) -> None:
    folder = write_files(tmp_path, sequence() | {"seqinfo.ini": data})
    with pytest.raises(DatasetError, match=r"seqinfo.ini: not a valid seqinfo.ini|seqinfo.ini:1: not valid UTF-8"):
        open_mot(folder)


def test_classes_and_flags_select_people_and_ignore_regions(tmp_path: Path) -> None:
    rows = [(1, 1), (0, 1), (0, 2), (1, 7), (0, 7), *zip([0, 1] * 5, range(3, 13), strict=True)]
    text = "".join(f"1,{index},1,1,8,24,{flag},{kind},1\n" for index, (flag, kind) in enumerate(rows))
    source = open_mot(write_files(tmp_path, sequence(text)))
    people = next(iter(source)).people
    assert people.ignore.tolist() == [False, True, True, False, True, True, True, True]
    assert people.tagged_person.tolist() == [True] * 6 + [False] * 2
    dropped = ["car: 1", "bicycle: 1", "motorbike: 1", "non-motorised vehicle: 1"]
    dropped += ["occluder: 1", "occluder on the ground: 1", "occluder full: 1"]
    assert problems(source) == {"classes that are not people, not used": dropped}


def test_rows_without_a_class_are_people_unless_the_flag_is_0(tmp_path: Path) -> None:
    text = "1,1,1,1,8,24,1,-1,-1,-1\n1,2,1,1,8,24,0,-1,-1,-1\n1,3,1,1,8,24\n1,4,1,1,8,24,1\n"
    people = next(iter(open_mot(write_files(tmp_path, sequence(text))))).people
    assert people.ignore.tolist() == [False, True, False, False]


def test_class_names_of_an_annotation_tool_replace_those_of_the_benchmark(tmp_path: Path) -> None:
    entries = sequence("1,1,1,1,8,24,1,1,1\n1,2,1,1,8,24,1,2,1\n") | {"gt/labels.txt": b"dog\nperson\n"}
    source = open_mot(write_files(tmp_path, entries))
    assert [item.people.person_count for item in source] == [1, 0, 0]
    assert problems(source) == {MOSTLY_UNUSED_CLASSES: ["dog: 1"]}


def test_detections_are_read_without_ground_truth(tmp_path: Path) -> None:
    text = "1,-1,11,21,8,24,0.98,-1,-1,-1\n2,-1,11,21,8,24,-0.5\n"
    folder = write_files(tmp_path, sequence(text, "det/det.txt"))
    source = open_mot(folder)
    assert [item.people.person_count for item in source] == [1, 1, 0]
    assert problems(source) == {"sequences with detections, not ground truth": [f"{folder}/det/det.txt"]}
    write_files(tmp_path, {"gt/gt.txt": b""})
    assert [item.people.person_count for item in open_mot(folder)] == [0, 0, 0]


def test_frames_without_an_image_are_problems(tmp_path: Path) -> None:
    folder = write_files(tmp_path, sequence(ROWS + "9,1,1,1,8,24,1,1,1\n9,2,1,1,8,24,1,1,1\n"))
    source = open_mot(folder)
    assert problems(source) == {"annotations without an image": [f"{folder}/gt/gt.txt:4: frame 9"]}
    assert len(source) == 3


def test_images_with_an_invalid_or_repeated_frame_number_are_problems(tmp_path: Path) -> None:
    folder = write_files(tmp_path, sequence() | {"img1/thumbnail.jpg": image_bytes(1), "img1/1.png": image_bytes(1)})
    source = open_mot(folder)
    unnumbered = [f"{folder}/img1/000001.jpg", f"{folder}/img1/thumbnail.jpg"]
    assert problems(source) == {"images with an invalid or repeated frame number": unnumbered}
    assert len(source) == 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2,1,11,21,8", "5 columns; at least 6 are needed: frame, id, left, top, width, height"),
        ("2 1 11 21 8 24 1 1 1", "1 columns; at least 6 are needed: frame, id, left, top, width, height"),
        ("zero,1,11,21,8,24,1,1,1", "column 1 is 'zero'; it must be a number"),
        ("0,1,11,21,8,24,1,1,1", "the frame is '0'; it must be a whole number from 1"),
        ("1.5,1,11,21,8,24,1,1,1", "the frame is '1.5'; it must be a whole number from 1"),
        ("inf,1,11,21,8,24,1,1,1", "the frame is 'inf'; it must be a whole number from 1"),
        ("nan,1,11,21,8,24,1,1,1", "the frame is 'nan'; it must be a whole number from 1"),
    ],
)
def test_damaged_lines_are_problems_with_the_line(tmp_path: Path, row: str, message: str) -> None:
    folder = write_files(tmp_path, sequence(f"\n{row}\n" + ROWS))
    source = open_mot(folder)
    assert problems(source) == {DAMAGED: [f"{folder}/gt/gt.txt:2: {message}"]}
    assert source.problems[0].is_error


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2,1,11,,8,24,1,1,1", "column 4 is ''; it must be a number"),
        ("2,1,11,21,8,tall,1,1,1", "column 6 is 'tall'; it must be a number"),
        ("2,1,11,21,8,24,yes,1,1", "column 7 is 'yes'; it must be a number"),
        ("2,1,11,21,8,24,1,99,1", "the class is '99'; it must be 1 to 13"),
    ],
)
def test_a_frame_with_a_damaged_line_is_not_used(tmp_path: Path, row: str, message: str) -> None:
    folder = write_files(tmp_path, sequence(f"{row}\n" + ROWS))
    source = open_mot(folder)
    assert problems(source) == {DAMAGED: [f"{folder}/gt/gt.txt:1: {message}"]}
    assert [item.source_name for item in source] == ["img1/000001.jpg", "img1/000003.jpg"]


@pytest.mark.parametrize("box", ["1,1,0,24", "1,1,8,-24", "nan,1,8,24", "1,inf,8,24", "1,1,8,1e9"])
def test_a_person_with_an_invalid_box_counts_without_it(tmp_path: Path, box: str) -> None:
    folder = write_files(tmp_path, sequence(f"3,1,{box},1,1,1\n"))
    source = open_mot(folder)
    [_, _, people] = [item.people for item in source]
    assert people.person_count == 1
    assert np.isnan(people.full_boxes).all()
    [(reason, names)] = problems(source).items()
    assert (reason[:5], names) == ("boxes", [f"{folder}/gt/gt.txt:1: full_box"])


def test_text_of_another_encoding_is_an_error_with_the_line(tmp_path: Path) -> None:
    folder = write_files(tmp_path, sequence() | {"gt/gt.txt": ROWS.encode() + b"\xe9\n"})
    with pytest.raises(DatasetError, match=r"gt/gt.txt:4: not valid UTF-8 text \(byte 1\)"):
        open_mot(folder)


@pytest.mark.parametrize(
    "entries",
    [
        {"gt/gt.txt": ROWS.encode()},
        {"img1/000001.jpg": b""},
        {"gt/gt.txt": b"", "gt/000001.jpg": b"", "000001.jpg": b""},
        {"A/gt/gt.txt": b"", "B/img1/000001.jpg": b""},
    ],
)
def test_folders_of_other_layouts_are_not_sequences(tmp_path: Path, entries: dict[str, bytes]) -> None:
    folder = write_files(tmp_path, entries)
    with pytest.raises(DatasetError, match="contains no img1/000001.jpg with gt/gt.txt or det/det.txt next to img1"):
        MotSource().open([folder], None)


def test_an_annotation_file_is_an_error(tmp_path: Path) -> None:
    folder = write_files(tmp_path, sequence())
    with pytest.raises(ConfigError, match="mot reads no such file; remove the option"):
        MotSource().open([folder], folder / "gt" / "gt.txt")
