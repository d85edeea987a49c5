"""Sources of head-point datasets: ShanghaiTech and UCF-CC-50."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.storage import FolderStore
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.sources.detection import find_source
from crowdgan_density.sources.matlab_points import ShanghaiTech, UcfCc50
from tests.support.sources import HEAD_POINTS, add_shanghaitech, image_info, mat_bytes, write_files, write_zip

NOT_MATLAB = "not a MATLAB 5 file, as written by MATLAB's save -v6 or -v7"


def add_ucf(folder: Path, *numbers: int, points=HEAD_POINTS):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.new("L", (40, 20)).save(folder / f"{number}.jpg")
        (folder / f"{number}_ann.mat").write_bytes(mat_bytes({"annPoints": points}))


def names(source, *paths):
    return [scene.source_name for scene in source.open(paths, None)]


def test_shanghaitech_is_read_from_its_root_a_part_a_split_or_its_parent_folder(tmp_path):
    root = tmp_path / "ShanghaiTech"
    add_shanghaitech(root / "part_A_final" / "train_data", 2, 10, 1)
    add_shanghaitech(root / "part_A_final" / "test_data", 5, annotations="ground_truth")
    add_shanghaitech(root / "part_B_final" / "test_data", 3)
    part = ["test_data/images/IMG_5.jpg", *(f"train_data/images/IMG_{n}.jpg" for n in (1, 2, 10))]
    full = [*(f"part_A_final/{name}" for name in part), "part_B_final/test_data/images/IMG_3.jpg"]
    read = {path: names(ShanghaiTech(), path) for path in (root, root / "part_A_final")}
    assert read == {root: full, root / "part_A_final": part}
    assert names(ShanghaiTech(), root / "part_B_final" / "test_data") == ["images/IMG_3.jpg"]
    assert all(ShanghaiTech().matches([path], None) for path in (root, root / "part_A_final"))


@pytest.mark.parametrize(
    ("images", "points"),
    [
        ("part_A/train/images/{}", "part_A/train/ground-truth/{}"),
        ("part_A/train/images/{}", "part_A/train/ground_truth/{}"),
        ("part_A/train/img/{}", "part_A/train/gt/{}"),
        ("part_A/images/train/{}", "part_A/ground_truth/train/{}"),
        ("part_A/train/{}", "part_A/train/{}"),
        ("part_A_final/train_data/images/{}", "part_A_final/train_data/ground_truth/{}"),
        ("ShanghaiTech/part_A/train_data/images/{}", "ShanghaiTech/part_A/train_data/ground-truth/{}"),
        ("archive/ShanghaiTech/part_A/train_data/Images/{}", "archive/ShanghaiTech/part_A/train_data/Ground_Truth/{}"),
    ],
)
@pytest.mark.parametrize("is_archive", [False, True])
def test_shanghaitech_is_read_in_every_layout_in_circulation(tmp_path, images, points, is_archive):
    add_shanghaitech(tmp_path / "original", 1, 2)
    files = {}
    for split in ("train", "test"):
        for number in (1, 2):
            for template, folder, name in (
                (images, "images", f"IMG_{number}.jpg"),
                (points, "ground-truth", f"GT_IMG_{number}.mat"),
            ):
                path = template.replace("train", split).format(name)
                files[path] = (tmp_path / "original" / folder / name).read_bytes()
                files[str(Path(path).with_name(f"._{name}"))] = b"AppleDouble"
    path = write_zip(tmp_path / "x.zip", files) if is_archive else write_files(tmp_path / "x", files)
    assert find_source([path], None, None, installed_plugins().scene_sources).name == "shanghaitech"
    reader = ShanghaiTech().open([path], None)
    expected = [images.replace("train", split).format(f"IMG_{n}.jpg") for split in ("test", "train") for n in (1, 2)]
    assert [scene.source_name for scene in reader] == expected
    assert (reader.problems, [scene.people.person_count for scene in reader]) == ([], [2] * 4)
    assert {scene.image.open().size for scene in reader} == {(40, 20)}


def test_images_of_every_supported_suffix_are_read_and_repeated_numbers_are_problems(tmp_path):
    add_shanghaitech(tmp_path, 1, 2)
    (tmp_path / "images" / "IMG_1.jpg").rename(tmp_path / "images" / "IMG_1.jfif")
    (tmp_path / "images" / "IMG_2.png").write_bytes(b"")
    reader = ShanghaiTech().open([tmp_path], None)
    assert [scene.source_name for scene in reader] == ["images/IMG_1.jfif", "images/IMG_2.jpg"]
    assert reader.problems == [SourceProblem(reason="images without annotations", names=["images/IMG_2.png"])]


def test_a_part_without_its_annotations_is_a_problem(tmp_path):
    add_shanghaitech(tmp_path / "test_data", 1)
    add_shanghaitech(tmp_path / "train_data", 2)
    (tmp_path / "train_data" / "ground-truth").rename(tmp_path / "train_data" / "density")
    reader = ShanghaiTech().open([tmp_path], None)
    assert [scene.source_name for scene in reader] == ["test_data/images/IMG_1.jpg"]
    assert reader.problems == [
        SourceProblem(reason="images without annotations", names=["train_data/images/IMG_2.jpg"]),
        SourceProblem(reason="annotations without an image", names=["train_data/density/GT_IMG_2.mat"]),
    ]


def test_a_head_point_becomes_a_head_box_of_size_0_without_other_boxes(tmp_path):
    add_shanghaitech(tmp_path, 7)
    reader = ShanghaiTech().open([tmp_path], None)
    [scene] = reader
    assert isinstance(scene, AnnotatedImage)
    assert (scene.source_name, scene.record) == ("images/IMG_7.jpg", None)
    assert scene.image == ImageFile(tmp_path / "images" / "IMG_7.jpg")
    assert scene.image.open().size == (40, 20)
    np.testing.assert_array_equal(scene.people.head_boxes, [[1.25, 2.5, 0, 0], [30, 17, 0, 0]])
    assert np.isnan(scene.people.full_boxes).all()
    assert np.isnan(scene.people.visible_boxes).all()
    assert scene.people.person_count == 2
    assert (len(reader), reader.metadata, reader.has_annotations, reader.problems) == (1, DatasetMetadata(), True, [])
    assert len(list(reader)) == 1  # it can be iterated repeatedly


def test_ucf_is_read_in_the_order_of_numbers_with_half_a_pixel_subtracted(tmp_path):
    add_ucf(tmp_path, 10, 2, 1)
    assert names(UcfCc50(), tmp_path) == ["1.jpg", "2.jpg", "10.jpg"]
    scene = next(iter(UcfCc50().open([tmp_path], None)))
    np.testing.assert_array_equal(scene.people.head_boxes, [[0.75, 2.0, 0, 0], [29.5, 16.5, 0, 0]])


def test_names_of_images_in_several_folders_start_with_the_folder(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        add_ucf(folder, 1)
    assert names(UcfCc50(), *folders) == [(folder / "1.jpg").as_posix() for folder in folders]


def test_unmatched_images_and_annotations_are_problems(tmp_path):
    add_shanghaitech(tmp_path, 1, 2, 3)
    (tmp_path / "images" / "IMG_2.jpg").unlink()
    (tmp_path / "ground-truth" / "GT_IMG_3.mat").unlink()
    reader = ShanghaiTech().open([tmp_path], None)
    assert [scene.source_name for scene in reader] == ["images/IMG_1.jpg"]
    assert reader.problems == [
        SourceProblem(reason="images without annotations", names=["images/IMG_3.jpg"]),
        SourceProblem(reason="annotations without an image", names=["ground-truth/GT_IMG_2.mat"]),
    ]


@pytest.mark.parametrize("source", [ShanghaiTech(), UcfCc50()])
def test_a_source_matches_only_its_own_format(source, tmp_path):
    add_ucf(tmp_path / "ucf", 1)
    add_shanghaitech(tmp_path / "shanghai", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.mat").write_bytes(b"")
    paths = [tmp_path / name for name in ("ucf", "shanghai", "empty", "file.mat", "absent")]
    expected = "ucf" if isinstance(source, UcfCc50) else "shanghai"
    assert [path.name for path in paths if source.matches([path], None)] == [expected]
    assert not source.matches(paths[:2], None)
    assert not source.matches([], None)
    assert not source.matches([tmp_path / expected], tmp_path / "file.mat")


def test_a_folder_that_cannot_be_read_does_not_match_and_is_an_error(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    add_ucf(tmp_path, 1)
    monkeypatch.setattr(os, "scandir", refuse)
    assert not UcfCc50().matches([tmp_path], None)
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{tmp_path}: cannot be read (Permission denied)')}$"):
        UcfCc50().open([tmp_path], None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            ShanghaiTech(),
            "contains no shanghaitech images; it must contain images/IMG_n.jpg with ground-truth/GT_IMG_n.mat, in the "
            "folder or in a part such as part_A/train; found 2 such images and 1 such annotations",
        ),
        (
            UcfCc50(),
            "contains no ucf-cc-50 images; it must contain n.jpg with n_ann.mat in the same folder; found 0 such "
            "images and 0 such annotations",
        ),
    ],
)
def test_a_folder_without_the_dataset_is_an_error_with_the_number_of_files_found(source, message, tmp_path):
    for name in ("a/images/IMG_1.jpg", "a/images/IMG_2.jpg", "b/ground-truth/GT_IMG_1.mat"):
        write_files(tmp_path, {name: b""})
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{tmp_path}: {message}')}$"):
        source.open([tmp_path], None)


def test_an_annotation_file_is_an_error(tmp_path):
    text = "--annotations x.odgt: ucf-cc-50 has one file per image; remove the option"
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        UcfCc50().open([tmp_path], Path("x.odgt"))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("heads", [0, 1, 3000])
def test_any_number_of_heads_is_read_compressed_or_not(tmp_path, compressed, heads):
    points = np.random.default_rng(17).uniform(0, 100, (heads, 2))
    path = tmp_path / "points.mat"
    path.write_bytes(mat_bytes(image_info(points), compressed=compressed))
    np.testing.assert_array_equal(ShanghaiTech().read_points(FolderStore(tmp_path), path.name), points)
    path.write_bytes(mat_bytes({"annPoints": points, "other": 3.0}, compressed=compressed))
    np.testing.assert_array_equal(UcfCc50().read_points(FolderStore(tmp_path), path.name), points - 0.5)


@pytest.mark.parametrize(
    "value", [HEAD_POINTS, "text", {"location": HEAD_POINTS}, np.zeros((0, 0)), np.array([[HEAD_POINTS, 1]], object)]
)
def test_variables_of_unexpected_structure_are_an_error_with_the_path(tmp_path, value):
    path = tmp_path / "GT_IMG_1.mat"
    path.write_bytes(mat_bytes({"image_info": value}))
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: image_info ')}"):
        ShanghaiTech().read_points(FolderStore(tmp_path), path.name)


def test_damaged_annotations_are_problems(tmp_path):
    add_ucf(tmp_path, 1, 2)
    (tmp_path / "2_ann.mat").write_bytes(b"")
    reader = UcfCc50().open([tmp_path], None)
    assert [scene.source_name for scene in reader] == ["1.jpg"]
    damage = f"{tmp_path / '2_ann.mat'}: {NOT_MATLAB}"
    assert reader.problems == [SourceProblem(reason="damaged annotations", names=[damage])]


def test_an_annotation_damaged_after_opening_is_an_error_with_the_path(tmp_path):
    add_ucf(tmp_path, 1, 2)
    scenes = iter(UcfCc50().open([tmp_path], None))
    assert next(scenes).source_name == "1.jpg"
    (tmp_path / "2_ann.mat").write_bytes(b"")
    with pytest.raises(DatasetError, match=f"^{re.escape(str(tmp_path / '2_ann.mat') + ': ' + NOT_MATLAB)}$"):
        next(scenes)


def test_readers_can_be_pickled(tmp_path):
    add_ucf(tmp_path, 1)
    reader = pickle.loads(pickle.dumps(UcfCc50().open([tmp_path], None)))
    assert [scene.source_name for scene in reader] == ["1.jpg"]


def real_dataset(shared: Path, name: str) -> Path:
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"../shared/data/{name} is missing: no real images with head points")
    return folder


def test_real_shanghaitech_is_read_completely_with_heads_inside_the_images(shared):
    reader = ShanghaiTech().open([real_dataset(shared, "shanghaitech")], None)
    outside, people = count_heads(reader)
    assert (len(reader), reader.problems, people, outside) == (60, [], 16626, 0)


def test_real_ucf_is_read_completely_with_heads_inside_the_images(shared):
    reader = UcfCc50().open([real_dataset(shared, "ucf_cc_50")], None)
    outside, people = count_heads(reader)
    assert (len(reader), reader.problems, people, outside) == (8, [], 11619, 0)


def count_heads(reader) -> tuple[int, int]:
    """Number of heads outside their image, and of all heads."""
    outside = people = 0
    for scene in reader:
        heads = scene.people.head_boxes[:, :2]
        outside += np.count_nonzero((heads < 0) | (heads >= scene.image.open().size))
        people += scene.people.person_count
    return outside, people
