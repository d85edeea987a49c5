"""Density over time, its summary, and the check that the camera did not move."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import ConfigError
from crowdgan_core.pipeline.image_job import load_scene
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.homography import read_homography
from crowdgan_density.ground_plane.view import MeasuredView
from crowdgan_density.series.camera_check import find_camera_change
from crowdgan_density.series.exceedance import summarise_series
from crowdgan_density.series.time_series import (
    SeriesPoint,
    density_series,
    fit_fixed_camera,
    frame_times,
    series_rows,
    sort_frames,
)
from crowdgan_density.zones.zone_files import Zone
from tests.support.crowds import crowd_positions, crowd_scene
from tests.unit.crowdgan_density.zones.test_zone_measurement import homography_of

PETS_FOCAL_LENGTH_PX = 1185.0


def frames(counts: list[int], camera: Camera = EXAMPLE_CAMERA) -> list[Scene]:
    """One frame per number of people, who are other people at other places in each."""
    scenes = [crowd_scene(crowd_positions(count, seed), seed=seed, camera=camera) for seed, count in enumerate(counts)]
    return [replace(scene, source_name=f"frame_{number}") for number, scene in enumerate(scenes)]


def point(time_s: float, density: float | None, zone: str = "gate") -> SeriesPoint:
    reason = "no people" if density is None else None
    return SeriesPoint(
        time_s=time_s,
        image=f"frame {time_s:g}",
        zone=zone,
        person_count=3,
        density_per_m2=density,
        interval_per_m2=None,
        level=None,
        peak_per_m2=None,
        reason=reason,
    )


def test_frames_are_sorted_by_the_numbers_in_their_names() -> None:
    names = ["a/frame_10", "a/frame_9", "a/Frame_011", "a/frame"]
    scenes = [Scene(source_name=name, size=(9, 9)) for name in names]
    assert [scene.source_name for scene in sort_frames(scenes)] == ["a/frame", "a/frame_9", "a/frame_10", "a/Frame_011"]


def test_times_are_multiples_of_the_interval_or_computed_from_frame_numbers() -> None:
    scenes = [Scene(source_name=f"cam2_{number:04}.jpg", size=(9, 9)) for number in (11, 22, 44)]
    assert frame_times(scenes, 0.5) == [0.0, 0.5, 1.0]
    assert frame_times(scenes, 0.5, numbered=True) == [0.0, 5.5, 16.5]
    with pytest.raises(ConfigError, match="frame: the name contains no frame number"):
        frame_times([Scene(source_name="frame", size=(9, 9))], 0.5, numbered=True)
    with pytest.raises(ConfigError, match="cam2_0011.jpg: its number 11 follows 11; numbers must increase"):
        frame_times([scenes[0], scenes[0]], 0.5, numbered=True)
    with pytest.raises(ConfigError, match="the time between two frames is 0 s; it must be above 0"):
        frame_times(scenes, 0)


def test_a_series_has_one_point_per_frame_and_unknown_frames_are_gaps() -> None:
    scenes = frames([60, 80, 3, 120])
    fitted = fit_fixed_camera(GroundPlaneEstimator(), scenes)
    series = density_series(fitted, scenes, frame_times(scenes, 2.0))
    assert [item.time_s for item in series] == [0.0, 2.0, 4.0, 6.0]
    known = [item for item in series if item.density_per_m2 is not None]
    assert [item.image for item in known] == ["frame_0", "frame_1", "frame_3"]
    for item, count in zip(known, (60, 80, 120), strict=True):
        assert item.density_per_m2 == pytest.approx(count / 100, rel=0.15)
        assert item.interval_per_m2 is not None
        assert item.interval_per_m2[0] < item.density_per_m2 < item.interval_per_m2[1]
    assert series[2].reason == "no 5 people with their feet in the image form a group that spans an area"
    assert {item.zone for item in series} == {"occupied ground"}
    assert [row["density_per_m2"] is None for row in series_rows(series, fitted)] == [False, False, True, False]


def test_zones_have_points_in_all_frames_also_without_people() -> None:
    scenes = [*frames([60, 80]), Scene(source_name="frame_2", size=EXAMPLE_CAMERA.size)]
    corners = np.array([[-3, 13], [3, 13], [3, 19], [-3, 19]], float)
    zone = Zone(name="middle", corners=EXAMPLE_CAMERA.pixels_from_ground(corners))
    fitted = fit_fixed_camera(GroundPlaneEstimator(), scenes)
    series = density_series(fitted, scenes, frame_times(scenes, 60.0), (zone,))
    assert [item.density_per_m2 for item in series] == [
        pytest.approx(0.6, rel=0.25),
        pytest.approx(0.8, rel=0.25),
        0.0,
    ]
    assert [item.level for item in series] == ["C", "C", "A"]


def test_smoothing_is_a_moving_median_of_known_densities() -> None:
    scenes = frames([60, 62, 140, 64, 3, 66])
    fitted = fit_fixed_camera(GroundPlaneEstimator(), scenes)
    series = density_series(fitted, scenes, frame_times(scenes, 1.0), smooth_s=2.0)
    raw = [item.density_per_m2 for item in series]
    assert raw[4] is None
    known = [value or 0.0 for value in raw]
    assert series[2].smoothed_per_m2 == sorted(known[1:4])[1]
    assert series[3].smoothed_per_m2 == np.median(known[2:4])
    assert series[4].smoothed_per_m2 is None
    assert series[5].shown_per_m2 == raw[5]


BOUNDS = ClassBounds(values=(1.0, 2.0))


def test_the_summary_has_the_time_above_each_boundary() -> None:
    densities = [0.5, 1.5, 2.5, 1.0, None, 3.0, 0.5]  # 1.0 belongs to the class above
    (summary,) = summarise_series([point(10.0 * n, value) for n, value in enumerate(densities)], BOUNDS)
    assert (summary.num_frames, summary.num_known, summary.known_s) == (7, 6, 60.0)
    assert summary.mean_per_m2 == pytest.approx(9 / 6)
    assert (summary.max_per_m2, summary.max_time_s, summary.max_image) == (3.0, 50.0, "frame 50")
    assert summary.seconds_above == (40.0, 20.0)
    assert summary.longest_above_s == (30.0, 10.0)


def test_missing_frames_are_not_counted_as_time_above_a_boundary() -> None:
    times = [0, 10, 20, 100, 110]  # five frames are missing
    (summary,) = summarise_series([point(time_s, 1.5) for time_s in times], BOUNDS)
    assert summary.seconds_above == (50.0, 0)
    assert summary.longest_above_s == (30.0, 0)


def test_zones_are_summarised_separately_and_a_zone_may_be_unknown() -> None:
    points = [point(0, 1.0, "a"), point(0, None, "b"), point(1, 3.0, "a"), point(1, None, "b")]
    first, second = summarise_series(points, BOUNDS)
    assert (first.zone, first.mean_per_m2, second.zone, second.mean_per_m2) == ("a", 2.0, "b", None)
    assert (second.known_s, second.seconds_above, second.longest_above_s) == (0.0, (0, 0), (0.0, 0.0))


def views(scenes: list[Scene]) -> list[MeasuredView]:
    return [MeasuredView.from_scene(scene) for scene in scenes]


def move(scene: Scene, *, zoom: float = 1.0, down_px: float = 0.0) -> Scene:
    """The scene as a camera shows it after a zoom around the image centre and a tilt."""
    centre = np.array([scene.size[1] / 2, scene.size[0] / 2])
    boxes = scene.full_boxes * zoom
    boxes[:, :2] += centre * (1 - zoom) + [0, down_px]
    return replace(scene, full_boxes=boxes)


@pytest.mark.parametrize("count", [5, 20, 100])
def test_a_fixed_camera_with_other_people_in_each_frame_gives_no_warning(count: int) -> None:
    for seed in range(20):
        scenes = frames([count] * 30)
        shuffled = [scenes[index] for index in np.random.default_rng(seed).permutation(30)]
        assert find_camera_change(views(shuffled), EXAMPLE_CAMERA) is None


@pytest.mark.parametrize("change", [{"zoom": 1.2}, {"zoom": 0.85}, {"down_px": 25.0}, {"down_px": -25.0}])
@pytest.mark.parametrize("frame", [1, 7, 19])
def test_a_moved_camera_is_found_at_the_frame_of_the_change(frame: int, change: dict[str, float]) -> None:
    scenes = frames([60] * 20)
    moved = [*scenes[:frame], *(move(scene, **change) for scene in scenes[frame:])]
    found = find_camera_change(views(moved), EXAMPLE_CAMERA)
    assert found is not None
    assert found.frame == frame


def test_a_gradual_zoom_is_found() -> None:
    scenes = [move(scene, zoom=1 + 0.01 * number) for number, scene in enumerate(frames([60] * 40))]
    assert find_camera_change(views(scenes), EXAMPLE_CAMERA) is not None


def test_frames_without_people_do_not_matter() -> None:
    empty = Scene(source_name="empty", size=EXAMPLE_CAMERA.size)
    assert find_camera_change(views([empty, empty]), EXAMPLE_CAMERA) is None
    moved = [*frames([60] * 5), empty, *(move(scene, zoom=1.3) for scene in frames([60] * 5))]
    found = find_camera_change(views(moved), EXAMPLE_CAMERA)
    assert found is not None
    assert found.frame == 6


def test_rows_after_a_change_of_the_camera_have_a_warning(tmp_path: Path) -> None:
    scenes = frames([60] * 16)
    scenes = [*scenes[:8], *(move(scene, down_px=15) for scene in scenes[8:])]
    fitted = fit_fixed_camera(GroundPlaneEstimator(), scenes)
    series = density_series(fitted, scenes, frame_times(scenes, 1.0))
    message = "the camera may have moved at frame_8: people's heights change by "
    assert all((item.warning or "").startswith(message) for item in series), "the camera is that of all frames"
    homography = homography_of(EXAMPLE_CAMERA, tmp_path / "homography.json")
    series = density_series(GroundPlaneEstimator(homography=homography), scenes, frame_times(scenes, 1.0))
    assert [item.warning is not None for item in series] == [False] * 8 + [True] * 8


def test_the_error_of_a_shared_camera_names_the_frame_of_a_change() -> None:
    scenes = frames([60] * 16)
    scenes = [*scenes[:8], *(move(scene, zoom=1.6) for scene in scenes[8:])]
    with pytest.raises(ConfigError, match=r"cannot be calibrated: .*; the camera may have moved at frame_8"):
        fit_fixed_camera(GroundPlaneEstimator(), scenes)


def read_frames(folder: Path) -> list[Scene]:
    """The frames of PETS2009 in the order of time."""
    scenes = [load_scene(item)[0] for item in CrowdHumanSource().open([folder], None)]
    return sort_frames([replace(scene, focal_length_px=PETS_FOCAL_LENGTH_PX) for scene in scenes])


def test_surveyed_frames_of_a_fixed_camera_give_no_warning(shared: Path) -> None:
    folder = shared / "data" / "pets2009"
    scenes = read_frames(folder)
    calibrated = fit_fixed_camera(GroundPlaneEstimator(), scenes).shared_cameras(scenes[0].size)[0]
    published = read_homography(folder / "homography.json", scenes[0].size)
    assert find_camera_change(views(scenes), calibrated) is None
    assert find_camera_change(views(scenes), published) is None


@pytest.mark.parametrize("change", [{"zoom": 1.15}, {"down_px": -30.0}, {"down_px": 60.0}])
def test_surveyed_frames_of_a_moved_camera_give_a_warning(shared: Path, change: dict[str, float]) -> None:
    folder = shared / "data" / "pets2009"
    scenes = read_frames(folder)
    moved = [*scenes[:10], *(move(scene, **change) for scene in scenes[10:])]
    found = find_camera_change(views(moved), read_homography(folder / "homography.json", scenes[0].size))
    assert found is not None
    assert found.frame == 10
