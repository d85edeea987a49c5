"""`crowdgan label` on real images and annotations; skipped without the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import bench_surveyed
from bench.bench_surveyed import (
    PUBLISHED,
    SurveyedFrame,
    compare_disc_densities,
    compare_kernel_densities,
    distance_ratio,
    evaluate_methods,
    load_frames,
)
from crowdgan_core.cli.app import build_tree
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.density.layers import HeatmapLayer
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.detection import find_source
from crowdgan_density.ground_plane.density_map import density_map
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.hot_spots import find_hot_spots

AnnotationRow = tuple[str, list[float]]
"""Name of an image, and x, y, width and height of a person's full box in pixels."""


@pytest.fixture
def data(shared: Path) -> Path:
    return shared / "data"


def label(source: Path, dest: Path, *options: str) -> None:
    arguments = ["label", "--source", str(source), "--dest", str(dest), "--resolution", "64x64", *options]
    result = CliRunner().invoke(build_tree(installed_plugins()), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("name", "count"), [("pets2009", 21), ("mot17", 6)])
@pytest.mark.parametrize("density", ["threshold", "euclidean", "grid", "grid-metres", "kde"])
def test_real_street_scenes_are_labelled(data: Path, tmp_path: Path, name: str, count: int, density: str) -> None:
    label(data / name, tmp_path / "a.zip", "--density", density, "--region", "full")
    metadata = ZipFormat().open(tmp_path / "a.zip").metadata
    assert len(metadata.images) == count
    assert all(record.density is not None and record.density > 0 for record in metadata.images)


def write_csv(folder: Path, rows: list[AnnotationRow]) -> None:
    lines = "".join(f"{image},{','.join(map(str, box))}\n" for image, box in rows)
    (folder / "boxes.csv").write_text("image,x,y,w,h\n" + lines)


def write_corners(folder: Path, rows: list[AnnotationRow]) -> None:
    rows = sorted(rows, key=lambda row: row[0], reverse=True)  # the order of the people of an image is kept
    lines = "".join(f"{image}.jpg;{x},0;{y};{x + w};{y + h};768;576\n" for image, (x, y, w, h) in rows)
    (folder / "boxes.csv").write_text("filename;xmin;ymin;xmax;ymax;width;height\n" + lines)


def write_json(folder: Path, rows: list[AnnotationRow]) -> None:
    content = [{"image": image, **dict(zip("xywh", box, strict=True))} for image, box in rows]
    (folder / "boxes.json").write_text(json.dumps(content))


def write_coco(folder: Path, rows: list[AnnotationRow]) -> None:
    images = sorted({image for image, _ in rows})
    content = {
        "images": [{"id": index, "file_name": f"{image}.jpg"} for index, image in enumerate(images)],
        "annotations": [{"image_id": images.index(image), "category_id": 1, "bbox": box} for image, box in rows],
        "categories": [{"id": 1, "name": "person"}],
    }
    (folder / "coco.json").write_text(json.dumps(content))


def write_mot(folder: Path, rows: list[AnnotationRow]) -> None:
    images = sorted({image for image, _ in rows})
    (folder / "img1").mkdir()
    for frame, image in enumerate(images, 1):
        (folder / f"{image}.jpg").rename(folder / "img1" / f"{frame:06d}.jpg")
    lines = [f"{images.index(image) + 1},1,{x + 1},{y + 1},{w},{h},1,1,1\n" for image, (x, y, w, h) in rows]
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text("".join(lines))


@pytest.mark.parametrize("write", [write_csv, write_corners, write_json, write_coco, write_mot])
def test_the_calibration_of_real_frames_does_not_depend_on_the_annotation_format(
    data: Path, tmp_path: Path, write: Callable[[Path, list[AnnotationRow]], None]
) -> None:
    records = [json.loads(line) for line in (data / "pets2009" / "annotation_pets.odgt").read_text().splitlines()]
    for image in (data / "pets2009" / "Images").iterdir():
        (tmp_path / image.name).symlink_to(image)
    write(tmp_path, [(record["ID"], box["fbox"]) for record in records for box in record["gtboxes"]])
    expected = calibrate("--source", data / "pets2009")
    assert calibrate("--source", tmp_path) == expected
    assert sum(report["density_per_m2"] is not None for report in expected) == 20


def calibrate(*arguments: object) -> list[dict[str, object]]:
    """The reports of `crowdgan calibrate`, sorted by the number of people, without the names of the images."""
    words = ["calibrate", "--json", "--workers", "1", *map(str, arguments)]
    result = CliRunner().invoke(build_tree(installed_plugins()), words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    reports = json.loads(result.stdout)["pictures"]
    return sorted(({**report, "image": None} for report in reports), key=json.dumps)


@pytest.mark.parametrize(
    ("name", "count"), [("shanghaitech/part_A_final", 30), ("shanghaitech/part_B_final", 30), ("ucf_cc_50", 8)]
)
def test_head_points_of_real_crowds_are_counted(data: Path, tmp_path: Path, name: str, count: int) -> None:
    label(data / name, tmp_path / "a.zip", "--density", "threshold", "--region", "full", "--transform", "none")
    records = ZipFormat().open(tmp_path / "a.zip").metadata.images
    assert len(records) == count
    minimum = {"part_A_final": 40, "part_B_final": 9, "ucf_cc_50": 90}[Path(name).name]
    assert min(record.person_count or 0 for record in records) >= minimum


@pytest.mark.parametrize(("name", "count"), [("ucf_cc_50", 4), ("shanghaitech/part_B_final", 6)])
def test_heatmaps_of_real_heads_sum_to_the_count(data: Path, name: str, count: int) -> None:
    plugins = installed_plugins()
    scene_source = find_source([data / name], None, None, plugins.scene_sources)
    config = ReadConfig(workers=1, max_images=count)
    threshold = configure_estimator(plugins.density_estimators["threshold"], {})
    for scene in read_scenes(scene_source.open([data / name], None), name, config).scenes:
        [heads] = threshold.explain(scene)
        assert isinstance(heads, HeatmapLayer)
        assert heads.values.sum() == pytest.approx(threshold.estimate(scene).value)


def test_frames_with_more_people_have_a_higher_density(data: Path, tmp_path: Path) -> None:
    label(data / "mot17", tmp_path / "a.zip", "--density", "threshold", "--region", "full")
    records = ZipFormat().open(tmp_path / "a.zip").metadata.images
    assert [record.person_count for record in records] == [22] * 3 + [42] * 3
    assert [record.label for record in records] == [1] * 3 + [2] * 3


def densest_place(estimator: GroundPlaneEstimator, scene: Scene) -> tuple[np.ndarray, float] | None:
    """Position in the image and density in persons/m² of the first hot spot; None if the density is unknown."""
    measurement = estimator.measure(scene)
    if isinstance(measurement, str):
        return None
    shown = density_map(measurement.groups_m, measurement.people_per_position)
    assert shown is not None
    first, *_ = find_hot_spots(shown, measurement.positions_m)
    return measurement.projection.pixels_from_ground(np.array([first.position_m]))[0], first.density_per_m2


def test_hot_spots_of_a_calibrated_camera_are_those_of_the_surveyed_ground(data: Path) -> None:
    """One camera for all frames: the same place in 17 of 20 frames, and the same density within 5 % (median)."""
    folder = data / "pets2009"
    source = find_source([folder], None, None, installed_plugins().scene_sources)
    scenes = read_scenes(source.open([folder], None), "pets2009", ReadConfig(workers=1)).scenes
    surveyed = GroundPlaneEstimator(homography=folder / "homography.json")
    calibrated = GroundPlaneEstimator(shared_camera=True).fit(scenes)
    ratios, is_same_place = [], []
    for scene in scenes:
        expected, actual = densest_place(surveyed, scene), densest_place(calibrated, scene)
        if expected is not None and actual is not None:
            ratios.append(actual[1] / expected[1])
            is_same_place.append(np.hypot(*(actual[0] - expected[0])) < 0.5 * np.median(scene.full_boxes[:, 3]))
    assert len(ratios) == 20
    assert sum(is_same_place) >= 17, "in some frames two places have nearly the same density"
    assert np.median(np.abs(np.array(ratios) - 1)) < 0.05


@pytest.fixture
def frames(data: Path) -> list[SurveyedFrame]:
    return load_frames(data / "pets2009")


def test_distances_on_the_ground_agree_with_the_survey(frames: list[SurveyedFrame]) -> None:
    """Cameras are calibrated from people: ratios of 0.93 to 1.00 with one shared camera, 0.88 to 1.14 per frame."""
    ratios = [
        [distance_ratio(positions, frame.surveyed_m) for positions in (frame.shared_camera_m, frame.frame_camera_m)]
        for frame in frames
    ]
    (shared_low, frame_low), (shared_high, frame_high) = np.min(ratios, axis=0), np.max(ratios, axis=0)
    assert len(frames) == 21
    assert shared_low >= 0.93
    assert round(shared_high, 2) <= 1.00
    assert frame_low >= 0.88
    assert frame_high <= 1.14


def test_local_densities_agree_with_the_survey(frames: list[SurveyedFrame]) -> None:
    for attribute in ("shared_camera_m", "frame_camera_m"):
        spearman, median, mean = compare_disc_densities(frames, attribute)
        assert spearman is not None
        assert spearman >= 0.86
        assert median == pytest.approx(1.0, abs=0.01)
        assert mean == pytest.approx(1.0, abs=0.05)
    kde_spearman, kde_median, _ = compare_kernel_densities(frames)
    assert kde_spearman is not None
    assert kde_spearman < 0.6, "kde measures in the image plane"
    assert kde_median > 1.5


def test_frame_densities_agree_with_the_survey_better_than_published_methods(frames: list[SurveyedFrame]) -> None:
    evaluations = {name: occupied for name, (_, occupied) in evaluate_methods(frames).items()}
    spearman = {name: evaluation.spearman for name, evaluation in evaluations.items()}
    errors = {name: evaluation.median_error for name, evaluation in evaluations.items()}
    assert max(spearman[name] or 0 for name in PUBLISHED) < 0.6
    assert (spearman["ground"] or 0) > 0.9
    assert (spearman["ground, one camera"] or 0) > 0.98
    assert (errors["ground"] or 1) < 0.1
    assert (errors["ground, one camera"] or 1) < 0.07
    assert (errors["voronoi, one camera"] or 1) < 0.08
    assert (evaluations["ground"].coverage or 0) >= 0.95


def test_series_of_a_shared_camera_has_no_false_jumps(frames: list[SurveyedFrame], data: Path) -> None:
    """Two crowds in the frames approach each other; with a single link distance, ratios fell from 0.95 to 0.68."""
    scenes = [frame.scene for frame in frames]
    shared = GroundPlaneEstimator(shared_camera=True).fit(scenes)
    surveyed = GroundPlaneEstimator(homography=data / "pets2009" / "homography.json")
    pairs = [(shared.estimate(scene).value, surveyed.estimate(scene).value) for scene in scenes]
    ratios = np.array([density / reference for density, reference in pairs if density and reference])
    assert len(ratios) == 20
    assert np.abs(ratios - 1).max() < 0.11
    assert np.abs(np.diff(np.log(ratios))).max() < 0.1


def test_the_table_of_surveyed_frames_is_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_surveyed.main()
    output = capsys.readouterr().out
    assert output.count("\n| ") == 22 + 11
    assert "over all 460 people" in output


def test_the_table_is_skipped_if_the_data_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_surveyed, "DATA", tmp_path / "shared" / "data" / "pets2009")
    bench_surveyed.main()
    assert (
        capsys.readouterr().out
        == "skipped: ../shared/data/pets2009 does not exist; it contains the surveyed positions\n"
    )
