from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.scenes.camera import Camera, polygon_area_m2
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_core.synthetic.writer import part_ranges, render_image

FILES = ["CrowdHuman_train01.zip", "annotation_train.odgt", "truth.json"]
SMALL = SyntheticConfig(images=5, size=(96, 128), seed=3, max_people=30)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("synth") / "out"
    write_synthetic_dataset(SMALL, dest)
    return dest


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / FILES[1]).read_text().splitlines()]


def test_a_dataset_consists_of_three_files(dataset: Path) -> None:
    assert sorted(path.name for path in dataset.iterdir()) == FILES
    assert list(dataset.parent.iterdir()) == [dataset]


def test_the_archive_stores_one_jpeg_per_record_in_order(dataset: Path) -> None:
    with zipfile.ZipFile(dataset / FILES[0]) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"Images/{record['ID']}.jpg" for record in read_records(dataset)]
        for info in archive.infolist():
            assert (info.compress_type, info.date_time) == (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))
            with Image.open(io.BytesIO(archive.read(info))) as image:
                assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (128, 96))


def test_exif_contains_the_focal_length_of_the_ground_truth_and_no_orientation(dataset: Path) -> None:
    ground_truth = json.loads((dataset / FILES[2]).read_text())["pictures"]
    with zipfile.ZipFile(dataset / FILES[0]) as archive:
        for record in read_records(dataset):
            with Image.open(io.BytesIO(archive.read(f"Images/{record['ID']}.jpg"))) as image:
                exif = image.getexif()
            assert dict(exif.get_ifd(0x8769)) == {0xA405: ground_truth[record["ID"]]["camera"]["focal_length_35mm"]}
            assert 0x0112 not in exif


def test_records_have_the_keys_of_crowdhuman(dataset: Path) -> None:
    lines = read_records(dataset)
    assert len(lines) == 5
    for record in lines:
        assert list(record) == ["ID", "gtboxes"]
        assert record["ID"].count(",") == 1
        for entry in record["gtboxes"]:
            assert list(entry) == ["tag", "hbox", "head_attr", "fbox", "vbox", "extra"]
            if entry["tag"] == "person":
                assert (list(entry["head_attr"]), list(entry["extra"])) == (
                    ["ignore", "occ", "unsure"],
                    ["box_id", "occ"],
                )
        people = [entry for entry in record["gtboxes"] if entry["tag"] == "person"]
        assert [entry["extra"]["box_id"] for entry in people] == list(range(len(people)))


def test_ground_truth_contains_camera_people_and_density_of_every_image(dataset: Path) -> None:
    ground_truth = json.loads((dataset / FILES[2]).read_text())
    assert (ground_truth["format"], ground_truth["seed"]) == (1, 3)
    assert list(ground_truth["pictures"]) == [record["ID"] for record in read_records(dataset)]
    for record in read_records(dataset):
        image = ground_truth["pictures"][record["ID"]]
        assert list(image) == ["camera", "people", "area_m2", "region_m", "density_per_m2"]
        assert image["area_m2"] == pytest.approx(polygon_area_m2(np.array(image["region_m"])), rel=1e-4)
        assert image["density_per_m2"] == pytest.approx(len(image["people"]) / image["area_m2"], rel=1e-4)
        ids = [person["box_id"] for person in image["people"] if person["box_id"] is not None]
        assert sorted(ids) == list(range(sum(entry["tag"] == "person" for entry in record["gtboxes"])))


def test_boxes_follow_from_the_ground_truth(dataset: Path) -> None:
    ground_truth = json.loads((dataset / FILES[2]).read_text())["pictures"]
    for record in read_records(dataset):
        camera_truth = ground_truth[record["ID"]]["camera"]
        assert camera_truth["focal_length_px"] == pytest.approx(camera_truth["focal_length_35mm"] / 36 * 128, abs=1e-3)
        camera = Camera(
            height_m=camera_truth["height_m"],
            pitch_rad=math.radians(camera_truth["pitch_deg"]),
            focal_length_px=camera_truth["focal_length_px"],
            size=tuple(camera_truth["size"]),
        )
        boxes = {entry["extra"].get("box_id"): entry["fbox"] for entry in record["gtboxes"]}
        for person in ground_truth[record["ID"]]["people"]:
            if person["box_id"] is not None:
                _, y, _, height = boxes[person["box_id"]]
                points = [[person["x_m"], person["y_m"], z] for z in (person["height_m"], 0.0)]
                assert [y, y + height] == pytest.approx(camera.project(np.array(points))[:, 1], abs=0.6)


def test_equal_seeds_give_equal_bytes_with_any_number_of_workers(dataset: Path, tmp_path: Path) -> None:
    write_synthetic_dataset(SMALL, tmp_path / "two", workers=2)
    assert read_files(tmp_path / "two") == read_files(dataset)


def test_different_seeds_give_different_names(dataset: Path) -> None:
    other = render_image(replace(SMALL, seed=4), 0)
    assert other.image_id not in {record["ID"] for record in read_records(dataset)}


def test_an_image_does_not_depend_on_the_number_of_images() -> None:
    assert render_image(SMALL, 2).jpeg == render_image(replace(SMALL, images=500), 2).jpeg


def test_densities_are_evenly_spaced_on_a_log_scale() -> None:
    config = replace(SMALL, density=(0.1, 3.0), size=(64, 64))
    densities = [render_image(config, index).ground_truth["density_per_m2"] for index in range(12)]
    thirds = np.histogram(np.log(densities), np.log(np.geomspace(0.09, 3.3, 4)))[0]
    assert thirds.min() >= 3


class RecordingProgress:
    """Progress display that records its calls, and optionally raises an interrupt at the first image."""

    def __init__(self, *, interrupted: bool = False) -> None:
        self.calls: list[object] = []
        self.interrupted = interrupted

    def start(self, description: str, total: int) -> None:
        self.calls.append((description, total))

    def advance(self) -> None:
        self.calls.append("advance")
        if self.interrupted:
            raise KeyboardInterrupt


def test_progress_advances_after_each_image(tmp_path: Path) -> None:
    progress = RecordingProgress()
    write_synthetic_dataset(replace(SMALL, images=3), tmp_path / "out", progress)
    assert progress.calls == [("rendering images", 3), "advance", "advance", "advance"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_call_is_continued(dataset: Path, tmp_path: Path, workers: int) -> None:
    dest = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt, match=r"out\.partial keeps the finished parts; the same command continues"):
        write_synthetic_dataset(SMALL, dest, RecordingProgress(interrupted=True), workers=workers)
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"]
    first = tmp_path / "out.partial" / "finished" / "00000000.zip"
    written = first.stat().st_mtime_ns
    with pytest.raises(DatasetError, match="an interrupted job with other settings: seed is 9 and was 3"):
        write_synthetic_dataset(replace(SMALL, seed=9), dest)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_dataset(SMALL, dest, RecordingProgress(interrupted=True), workers=workers)
    assert first.stat().st_mtime_ns == written, "finished parts are kept"
    first.write_bytes(first.read_bytes()[:-10])
    write_synthetic_dataset(SMALL, dest, workers=workers)
    assert read_files(dest) == read_files(dataset)
    assert list(tmp_path.iterdir()) == [dest]


@pytest.mark.parametrize(("images", "parts"), [(1, 1), (5, 3), (500, 63), (100_000, 1000)])
def test_parts_divide_the_images(images: int, parts: int) -> None:
    ranges = part_ranges(images)
    assert len(ranges) == parts
    assert [index for part in ranges for index in part] == list(range(images))


def test_an_interrupted_overwrite_keeps_the_earlier_dataset(tmp_path: Path) -> None:
    one = replace(SMALL, images=1)
    write_synthetic_dataset(one, tmp_path / "out")
    before = read_files(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_dataset(
            replace(one, seed=9), tmp_path / "out", RecordingProgress(interrupted=True), overwrite=True
        )
    assert read_files(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.partial"]


def test_system_files_do_not_prevent_writing(tmp_path: Path) -> None:
    one, dest = replace(SMALL, images=1), tmp_path / "out"
    dest.mkdir()
    for overwrite in (False, True):
        (dest / ".DS_Store").write_bytes(b"system")
        write_synthetic_dataset(one, dest, overwrite=overwrite)
        assert sorted(path.name for path in dest.iterdir()) == FILES


def test_an_earlier_dataset_is_overwritten_only_on_request(tmp_path: Path) -> None:
    one, dest = replace(SMALL, images=1), tmp_path / "out"
    dest.mkdir()
    write_synthetic_dataset(one, dest)  # an empty folder is valid
    before = read_files(dest)
    with pytest.raises(DatasetError, match=r"out: already exists"):
        write_synthetic_dataset(replace(one, seed=9), dest)
    write_synthetic_dataset(replace(one, seed=9), dest, overwrite=True)
    assert read_files(dest) != before


def test_a_folder_with_other_files_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DatasetError, match=r"the folder contains 'thesis.tex'; it must be new, empty or an earlier"):
        write_synthetic_dataset(SMALL, tmp_path, overwrite=True)
    assert read_files(tmp_path) == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": 0}, "images is 0; it must be at least 1"),
        ({"size": (480, 20)}, "size: width is 20; it must be from 64 to 8192"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"density": (0.1, 20.0)}, "density is 20.0; it must be from 0.01 to 6.0"),
        ({"density": (2.0, 1.0)}, "density is (2.0, 1.0); the first value must not exceed the second"),
        ({"camera_height_m": (1.0, 2.0)}, "camera_height_m is 1.0; it must be from 1.5 to 30.0"),
        ({"camera_pitch_deg": (10.0, 90.0)}, "camera_pitch_deg is 90.0; it must be from 0.0 to 60.0"),
        ({"focal_length_mm": (50, 24)}, "focal_length_mm is (50, 24); the first value must not exceed the second"),
        ({"crowd_region": "all"}, "crowd_region is all; it must be one of mixed, full"),
        ({"max_people": 0}, "max_people is 0; it must be from 1 to 5000"),
    ],
)
def test_values_out_of_range_are_errors(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        replace(SMALL, **changes)
    assert str(error.value) == message
