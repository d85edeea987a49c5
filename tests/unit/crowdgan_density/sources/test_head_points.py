"""Scene sources of head-point datasets: ShanghaiTech and UCF-CC-50."""

from __future__ import annotations

import pickle
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_density.sources.head_points import ShanghaiTech, UcfCc50
from crowdgan_density.sources.matlab import MAX_ARRAYS, MAX_FILE_BYTES, MAX_UNPACKED_BYTES
from tests.support.sources import HEADS, add_shanghaitech, image_info, mat_bytes


def add_ucf(folder: Path, *numbers: int, points=HEADS):
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
    whole = [*(f"part_A_final/{name}" for name in part), "part_B_final/test_data/images/IMG_3.jpg"]
    found = {path: names(ShanghaiTech(), path) for path in (root, root / "part_A_final")}
    assert found == {root: whole, root / "part_A_final": part}
    assert names(ShanghaiTech(), root / "part_B_final" / "test_data") == ["images/IMG_3.jpg"]
    assert all(ShanghaiTech().matches([path], None) for path in (root, root / "part_A_final"))


def test_a_head_point_becomes_a_head_box_of_size_0_and_bodies_are_unknown(tmp_path):
    add_shanghaitech(tmp_path, 7)
    opened = ShanghaiTech().open([tmp_path], None)
    [scene] = opened
    assert isinstance(scene, AnnotatedImage)
    assert (scene.source_name, scene.record) == ("images/IMG_7.jpg", None)
    assert scene.image == ImageFile(tmp_path / "images" / "IMG_7.jpg")
    assert scene.image.open().size == (40, 20)
    np.testing.assert_array_equal(scene.people.head_boxes, [[1.25, 2.5, 0, 0], [30, 17, 0, 0]])
    assert np.isnan(scene.people.full_boxes).all()
    assert np.isnan(scene.people.visible_boxes).all()
    assert scene.people.person_count == 2
    assert (len(opened), opened.metadata, opened.has_annotations, opened.problems) == (1, DatasetMetadata(), True, [])
    assert len(list(opened)) == 1  # every time anew


def test_ucf_is_read_in_the_order_of_numbers_and_half_a_pixel_is_taken_off(tmp_path):
    add_ucf(tmp_path, 10, 2, 1)
    assert names(UcfCc50(), tmp_path) == ["1.jpg", "2.jpg", "10.jpg"]
    scene = next(iter(UcfCc50().open([tmp_path], None)))
    np.testing.assert_array_equal(scene.people.head_boxes, [[0.75, 2.0, 0, 0], [29.5, 16.5, 0, 0]])


def test_images_in_several_folders_have_names_of_their_own(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        add_ucf(folder, 1)
    assert names(UcfCc50(), *folders) == [(folder / "1.jpg").as_posix() for folder in folders]


def test_missing_partners_are_problems(tmp_path):
    add_shanghaitech(tmp_path, 1, 2, 3)
    (tmp_path / "images" / "IMG_2.jpg").unlink()
    (tmp_path / "ground-truth" / "GT_IMG_3.mat").unlink()
    opened = ShanghaiTech().open([tmp_path], None)
    assert [scene.source_name for scene in opened] == ["images/IMG_1.jpg"]
    assert opened.problems == [
        SourceProblem(reason="images without annotations", names=["images/IMG_3.jpg"]),
        SourceProblem(reason="annotations without an image", names=["ground-truth/GT_IMG_2.mat"]),
    ]


@pytest.mark.parametrize("source", [ShanghaiTech(), UcfCc50()])
def test_a_source_knows_its_own_kind_alone(source, tmp_path):
    add_ucf(tmp_path / "ucf", 1)
    add_shanghaitech(tmp_path / "shanghai", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.mat").write_bytes(b"")
    paths = [tmp_path / name for name in ("ucf", "shanghai", "empty", "file.mat", "absent")]
    own = "ucf" if isinstance(source, UcfCc50) else "shanghai"
    assert [path.name for path in paths if source.matches([path], None)] == [own]
    assert not source.matches(paths[:2], None)
    assert not source.matches([], None)
    assert not source.matches([tmp_path / own], tmp_path / "file.mat")


def test_a_folder_that_cannot_be_read_does_not_fit_and_is_an_error(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    add_ucf(tmp_path, 1)
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert not UcfCc50().matches([tmp_path], None)
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{tmp_path}: cannot be read (Permission denied)')}$"):
        UcfCc50().open([tmp_path], None)


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        (
            ShanghaiTech(),
            "shanghaitech needs images/IMG_n.jpg with ground-truth/GT_IMG_n.mat, in the folder or in its part_*/ or "
            "*_data/",
        ),
        (UcfCc50(), "ucf-cc-50 needs n.jpg with n_ann.mat beside it"),
    ],
)
def test_a_folder_without_the_dataset_is_an_error(source, needs, tmp_path):
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{tmp_path}: {needs}; there is none')}$"):
        source.open([tmp_path], None)


def test_an_annotation_file_is_refused(tmp_path):
    text = "--annotations x.odgt: ucf-cc-50 has one file per image and needs no other"
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        UcfCc50().open([tmp_path], Path("x.odgt"))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("heads", [0, 1, 3000])
def test_any_number_of_heads_is_read_packed_or_not(tmp_path, compressed, heads):
    points = np.random.default_rng(17).uniform(0, 100, (heads, 2))
    path = tmp_path / "points.mat"
    path.write_bytes(mat_bytes(image_info(points), compressed=compressed))
    np.testing.assert_array_equal(ShanghaiTech().read_points(path), points)
    path.write_bytes(mat_bytes({"annPoints": points, "other": 3.0}, compressed=compressed))
    np.testing.assert_array_equal(UcfCc50().read_points(path), points - 0.5)


def big_endian_mat(points):
    """A MATLAB 5 file with one double array `annPoints`, as written on a big-endian machine."""
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    shape = struct.pack(">IIii", 5, 8, *points.shape)
    name = struct.pack(">II", 1, 9) + b"annPoints".ljust(16, b"\0")
    data = struct.pack(">II", 9, points.size * 8) + points.T.astype(">f8").tobytes()
    matrix = flags + shape + name + data
    return b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(matrix)) + matrix


def test_files_of_either_byte_order_are_read(tmp_path):
    (tmp_path / "points.mat").write_bytes(big_endian_mat(HEADS))
    np.testing.assert_array_equal(UcfCc50().read_points(tmp_path / "points.mat"), HEADS - 0.5)


def nested_cells(depth):
    """A MATLAB 5 file with `depth` cells inside one another; scipy 1.17 dies of 5,000."""
    cell = struct.pack("<IIIIIIiiII", 6, 8, 1, 0, 5, 8, 1, 1, 1, 0)
    lengths = [(len(cell) + 8) * level for level in range(depth, 0, -1)]
    return HEADER + b"".join(struct.pack("<II", 14, length) + cell for length in lengths) + bytes(8)


GOOD = mat_bytes({"annPoints": HEADS})
HEADER = GOOD[:128]
NOT_MATLAB = "not a MATLAB 5 file, as MATLAB writes with save -v6 or -v7"
BOMB = zlib.compress(bytes(MAX_UNPACKED_BYTES + 1))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", NOT_MATLAB),
        (b"x" * 5000, NOT_MATLAB),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF", NOT_MATLAB),
        (HEADER, "no variable annPoints in it"),
        (GOOD[:-1], f"damaged MATLAB file (cut off after {len(GOOD) - 1} bytes)"),
        (HEADER + b"1234", "damaged MATLAB file (unpack_from requires a buffer of at least 136 bytes for unpacking 8 "
         "bytes at offset 128 (actual buffer size is 132))"),
        (HEADER + struct.pack("<II", 15, 4) + b"zzzz", "damaged MATLAB file (Error -3 while decompressing data: "
         "incorrect header check)"),
        (HEADER + struct.pack("<II", 15, len(BOMB)) + BOMB, f"unpacks to more than {MAX_UNPACKED_BYTES} bytes; heads "
         "take far less"),
        (bytes(MAX_FILE_BYTES + 1), f"{MAX_FILE_BYTES + 1} bytes; annotations of at most {MAX_FILE_BYTES} bytes are "
         "read"),
        (nested_cells(5000), f"more than {MAX_ARRAYS} arrays in it; heads take far fewer"),
        (mat_bytes({"points": HEADS}), "no variable annPoints in it"),
        (mat_bytes({"annPoints": np.zeros((4, 3))}), "annPoints holds float64 [4, 3]; it must be numbers "
         "[num_heads, 2]"),
        (mat_bytes({"annPoints": "many"}), "annPoints holds <U4 [1]; it must be numbers [num_heads, 2]"),
        (mat_bytes({"annPoints": np.array([[1, np.nan]])}), "annPoints holds numbers that are not finite"),
        (mat_bytes(image_info(HEADS)), "no variable annPoints in it"),
    ],
)  # fmt: skip
def test_a_file_without_points_is_an_error_that_names_it(tmp_path, data, text):
    path = tmp_path / "7_ann.mat"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: {text}')}$"):
        UcfCc50().read_points(path)


@pytest.mark.parametrize(
    "value", [HEADS, "text", {"location": HEADS}, np.zeros((0, 0)), np.array([[HEADS, 1]], object)]
)
def test_another_layout_than_shanghaitechs_is_an_error_that_names_the_file(tmp_path, value):
    path = tmp_path / "GT_IMG_1.mat"
    path.write_bytes(mat_bytes({"image_info": value}))
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: image_info ')}"):
        ShanghaiTech().read_points(path)


def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "gone.mat"
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: cannot be read (No such file or directory)')}$"):
        UcfCc50().read_points(path)


def test_damaged_annotations_are_problems(tmp_path):
    add_ucf(tmp_path, 1, 2)
    (tmp_path / "2_ann.mat").write_bytes(b"")
    opened = UcfCc50().open([tmp_path], None)
    assert [scene.source_name for scene in opened] == ["1.jpg"]
    damage = f"{tmp_path / '2_ann.mat'}: {NOT_MATLAB}"
    assert opened.problems == [SourceProblem(reason="damaged annotations", names=[damage])]


def test_damage_done_after_opening_is_an_error_that_names_the_file(tmp_path):
    add_ucf(tmp_path, 1, 2)
    scenes = iter(UcfCc50().open([tmp_path], None))
    assert next(scenes).source_name == "1.jpg"
    (tmp_path / "2_ann.mat").write_bytes(b"")
    with pytest.raises(DatasetError, match=f"^{re.escape(str(tmp_path / '2_ann.mat') + ': ' + NOT_MATLAB)}$"):
        next(scenes)


PLAIN = mat_bytes(image_info(HEADS), compressed=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.lists(st.tuples(st.integers(128, len(PLAIN) - 1), st.binary(min_size=1, max_size=8)), max_size=4),
    st.integers(100, len(PLAIN)),
)
@example([], len(PLAIN))
def test_damaged_files_are_errors_or_points(tmp_path, changes, length):
    data = bytearray(PLAIN)
    for place, piece in changes:
        data[place : place + len(piece)] = piece
    (tmp_path / "fuzzed.mat").write_bytes(data[:length])
    try:
        points = ShanghaiTech().read_points(tmp_path / "fuzzed.mat")
    except DatasetError as error:
        points, message = np.empty((0, 2)), str(error)
    else:
        message = f"{tmp_path / 'fuzzed.mat'}: read"
    assert message.startswith(f"{tmp_path / 'fuzzed.mat'}: ")
    assert points.ndim == 2
    assert points.shape[1] == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_random_bytes_are_errors(tmp_path, data):
    (tmp_path / "random.mat").write_bytes(HEADER + data)
    with pytest.raises(DatasetError):
        UcfCc50().read_points(tmp_path / "random.mat")


def test_sources_and_what_they_open_can_be_sent_to_workers(tmp_path):
    add_ucf(tmp_path, 1)
    opened = pickle.loads(pickle.dumps(UcfCc50().open([tmp_path], None)))
    assert [scene.source_name for scene in opened] == ["1.jpg"]


def real(shared: Path, name: str) -> Path:
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"../shared/data/{name} is absent: no real images with head points")
    return folder


def test_real_shanghaitech_is_read_whole_and_heads_lie_in_the_images(shared):
    opened = ShanghaiTech().open([real(shared, "shanghaitech")], None)
    outside, persons = heads_outside(opened)
    assert (len(opened), opened.problems, persons, outside) == (60, [], 16626, 0)


def test_real_ucf_is_read_whole_and_heads_lie_in_the_images(shared):
    opened = UcfCc50().open([real(shared, "ucf_cc_50")], None)
    outside, persons = heads_outside(opened)
    assert (len(opened), opened.problems, persons, outside) == (8, [], 11619, 0)


def heads_outside(opened) -> tuple[int, int]:
    """Heads outside of their image, and heads in all."""
    outside = persons = 0
    for scene in opened:
        heads = scene.people.head_boxes[:, :2]
        outside += np.count_nonzero((heads < 0) | (heads >= scene.image.open().size))
        persons += scene.people.person_count
    return outside, persons
