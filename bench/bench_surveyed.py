"""Accuracy of cameras calibrated from people, on real PETS2009 frames with surveyed ground positions.

Prints for each frame the ratio of distances between people to the surveyed distances, for one camera calibrated from
all frames and for a camera calibrated from the frame only; then the agreement of local densities with the survey, for
these cameras and for the published methods.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.pipeline.estimation import estimate_densities
from crowdgan_core.pipeline.image_job import load_scene
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_density.boxes import valid_full_boxes
from crowdgan_density.evaluation.metrics import EvaluationResult, evaluate_estimates, spearman
from crowdgan_density.ground_plane.calibration import calibrate_camera
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import group_densities
from crowdgan_density.image_plane.kernel import local_densities
from crowdgan_density.level_of_service_scales import parse_scale

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pets2009"

FOCAL_LENGTH_PX = 1185.0
"""Focal length of view 1 at 768 px width, from the dataset's calibration."""

DISC_RADIUS_M = 1.5
"""Radius of the disc around a person in which people are counted."""

PUBLISHED = ("threshold", "normalised", "euclidean", "grid", "grid-metres", "kde")

Agreement = tuple[float | None, float, float]
"""Spearman's rank correlation with the surveyed densities, and median and mean of the ratios to them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SurveyedFrame:
    """A frame with surveyed ground positions, and the positions estimated by two calibrated cameras."""

    scene: Scene
    surveyed_m: Points
    """`[num_people, 2]`."""
    shared_camera_m: Points
    """`[num_people, 2]` by one camera calibrated from all frames."""
    frame_camera_m: Points
    """`[num_people, 2]` by a camera calibrated from this frame."""

    @property
    def number(self) -> int:
        """Number of the frame in the video."""
        return int(self.scene.source_name.split("_")[1])


def main() -> None:
    if not DATA.is_dir():
        print("skipped: ../shared/data/pets2009 does not exist; it contains the surveyed positions")
        return
    frames = load_frames(DATA)
    print_frames(frames)
    print_local_densities(frames)
    print_methods(frames)


def load_frames(folder: Path) -> list[SurveyedFrame]:
    """All frames of the folder, with a camera shared by all of them."""
    scenes = [
        replace(load_scene(item)[0], focal_length_px=FOCAL_LENGTH_PX)
        for item in CrowdHumanSource().open([folder], None)
    ]
    with (folder / "ground_positions.csv").open() as file:
        rows = list(csv.DictReader(file))
    shared = GroundPlaneEstimator(shared_camera=True).fit(scenes).shared_cameras(scenes[0].size)[0]
    return [create_frame(scene, rows, shared) for scene in scenes]


def create_frame(scene: Scene, rows: list[dict[str, str]], shared: Camera) -> SurveyedFrame:
    """A frame with its rows of the survey and its positions by two cameras."""
    number = int(scene.source_name.split("_")[1])
    surveyed = [(row["ground_x_m"], row["ground_y_m"]) for row in rows if int(row["frame"]) == number]
    feet = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]
    frame_camera = calibrate_camera(scene.full_boxes, scene.size, scene.focal_length_px).best()
    return SurveyedFrame(
        scene=scene,
        surveyed_m=np.array(surveyed, float),
        shared_camera_m=shared.ground_from_pixels(feet),
        frame_camera_m=frame_camera.ground_from_pixels(feet),
    )


def distance_ratio(positions_m: Points, surveyed_m: Points) -> float:
    """Median ratio of the distances between all pairs of people to the surveyed distances."""
    pairs = np.triu_indices(len(positions_m), 1)
    return float(np.median(distance_matrix(positions_m)[pairs] / distance_matrix(surveyed_m)[pairs]))


def distance_matrix(positions_m: Points) -> FloatArray:
    """Distances between people in metres, `[num_people, num_people]`."""
    return np.hypot(*(positions_m[:, None] - positions_m).transpose(2, 0, 1))


def disc_densities(positions_m: Points, *, include_self: bool = True) -> FloatArray:
    """Number of people within 1.5 m of each person, over the area of that disc, `[num_people]` persons/m²."""
    counts = (distance_matrix(positions_m) <= DISC_RADIUS_M).sum(axis=1) - (0 if include_self else 1)
    return counts / (math.pi * DISC_RADIUS_M**2)


def compare_disc_densities(frames: list[SurveyedFrame], attribute: str) -> Agreement:
    """Compares disc densities at the positions of this attribute with the surveyed ones, over all people."""
    surveyed = np.concatenate([disc_densities(frame.surveyed_m) for frame in frames])
    estimated = np.concatenate([disc_densities(getattr(frame, attribute)) for frame in frames])
    ratios = estimated / surveyed
    return spearman(estimated, surveyed), float(np.median(ratios)), float(np.mean(ratios))


def compare_kernel_densities(frames: list[SurveyedFrame]) -> Agreement:
    """Compares `kde` at each person, excluding the person, with disc densities; ratios only where these are not 0."""
    surveyed = np.concatenate([disc_densities(frame.surveyed_m, include_self=False) for frame in frames])
    estimated = np.concatenate([local_densities(valid_full_boxes(frame.scene), frame.scene.size) for frame in frames])
    ratios = estimated[surveyed > 0] / surveyed[surveyed > 0]
    return spearman(estimated, surveyed), float(np.median(ratios)), float(np.mean(ratios))


def evaluate_methods(frames: list[SurveyedFrame]) -> dict[str, tuple[EvaluationResult, EvaluationResult]]:
    """Evaluates each method against two surveyed densities of a frame: mean over discs, and on occupied ground.

    The density on occupied ground is the number of people over the area that they occupy, as `ground` defines it, at
    the surveyed positions; it is not defined for frames in which no group spans an area.
    """
    scenes = [frame.scene for frame in frames]
    shared = {"shared_camera": "true"}
    estimators = {name: fit_estimator(name, scenes) for name in (*PUBLISHED, "ground", "voronoi")}
    estimators |= {f"{name}, one camera": fit_estimator(name, scenes, **shared) for name in ("ground", "voronoi")}
    disc_means = [float(disc_densities(frame.surveyed_m).mean()) for frame in frames]
    densities = [group_densities(frame.surveyed_m) for frame in frames]
    occupied = [None if density is None else density.mean_per_m2 for density in densities]
    estimates = estimate_densities(list(estimators.values()), scenes)
    return {
        name: (evaluate_known(method_estimates, disc_means), evaluate_known(method_estimates, occupied))
        for name, method_estimates in zip(estimators, estimates, strict=True)
    }


def evaluate_known(estimates: list[DensityEstimate], ground_truth: Sequence[float | None]) -> EvaluationResult:
    """Metrics over the images with known ground truth."""
    known = [
        (estimate, density) for estimate, density in zip(estimates, ground_truth, strict=True) if density is not None
    ]
    scale = parse_scale("fruin-walkway")
    return evaluate_estimates([estimate for estimate, _ in known], [density for _, density in known], scale)


def fit_estimator(name: str, scenes: list[Scene], **options: str) -> DensityEstimator:
    """An installed estimator with these options, fitted to the scenes."""
    return configure_estimator(installed_plugins().density_estimators[name], options).fit(scenes)


def print_frames(frames: list[SurveyedFrame]) -> None:
    print("ratio of distances between people to surveyed ones (median), and mean disc density in persons/m²")
    print("| frame | people | distances, one camera | distances, camera of the frame | surveyed | one camera |")
    print("|---|---|---|---|---|---|")
    for frame in frames:
        shared, single = (
            distance_ratio(positions, frame.surveyed_m) for positions in (frame.shared_camera_m, frame.frame_camera_m)
        )
        surveyed, estimated = (
            disc_densities(positions).mean() for positions in (frame.surveyed_m, frame.shared_camera_m)
        )
        cells = f"{shared:.2f} | {single:.2f} | {surveyed:.2f} | {estimated:.2f}"
        print(f"| {frame.number} | {len(frame.scene)} | {cells} |")


def print_local_densities(frames: list[SurveyedFrame]) -> None:
    num_people = sum(len(frame.scene) for frame in frames)
    print(f"\ndensity in discs of {DISC_RADIUS_M} m over all {num_people} people, compared with the survey:")
    rows = {
        "one camera": compare_disc_densities(frames, "shared_camera_m"),
        "camera of the frame": compare_disc_densities(frames, "frame_camera_m"),
        "kde": compare_kernel_densities(frames),
    }
    for name, (rank_correlation, median, mean) in rows.items():
        correlation = format_optional(rank_correlation, ".3f")
        print(f"  {name:20} Spearman {correlation}, median ratio {median:.2f}, mean {mean:.2f}")


def print_methods(frames: list[SurveyedFrame]) -> None:
    print(f"\nover {len(frames)} frames, compared with surveyed densities: mean over discs, and on occupied ground")
    print("| method | estimated | Spearman, discs | Spearman, ground | median error, ground | coverage, ground |")
    print("|---|---|---|---|---|---|")
    for name, (discs, ground) in evaluate_methods(frames).items():
        cells = [
            *(format_optional(discs.spearman, ".2f"), format_optional(ground.spearman, ".2f")),
            *(format_optional(ground.median_error, ".0%"), format_optional(ground.coverage, ".0%")),
        ]
        print(f"| {name} | {discs.num_estimated} | {' | '.join(cells)} |")


def format_optional(value: float | None, format_spec: str) -> str:
    return "–" if value is None else f"{value:{format_spec}}"


if __name__ == "__main__":
    main()
