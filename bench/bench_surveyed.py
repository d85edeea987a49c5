"""How right cameras told from people are, on the real frames of PETS2009 whose ground was surveyed.

Prints per frame the distances between people over the surveyed ones, with one camera told from all frames and with one
told from the frame alone; then how local densities agree with the survey, and what the published methods say.
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
from crowdgan_density.boxes import valid_full_boxes
from crowdgan_density.evaluation.metrics import EvaluationResult, evaluate, rank_correlation
from crowdgan_density.ground_plane.calibration import calibrate_camera
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import find_groups, hull_density
from crowdgan_density.image_plane.kernel import local_densities
from crowdgan_density.level_of_service import parse_scale

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pets2009"
FOCAL_PX = 1185.0
"""Focal length of view 1 at 768 px width, from the dataset's own calibration."""

DISC_M = 1.5
"""Radius of the disc around a person in which others are counted."""

PUBLISHED = ("threshold", "normalised", "euclidean", "grid", "grid-metres", "kde")


@dataclass(frozen=True, kw_only=True, eq=False)
class SurveyedFrame:
    """A frame with what was surveyed, and what two cameras tell."""

    scene: Scene
    surveyed_m: np.ndarray
    """`[num_people, 2]`."""
    shared_m: np.ndarray
    """`[num_people, 2]` by one camera told from all frames."""
    single_m: np.ndarray
    """`[num_people, 2]` by a camera told from this frame alone."""


def main() -> None:
    if not DATA.is_dir():
        print("skipped: ../shared/data/pets2009 is absent, so there is no surveyed ground")
        return
    frames = surveyed_frames(DATA)
    print_frames(frames)
    print_people(frames)
    print_methods(frames)


def surveyed_frames(folder: Path) -> list[SurveyedFrame]:
    scenes = [
        replace(load_scene(item)[0], focal_length_px=FOCAL_PX) for item in CrowdHumanSource().open([folder], None)
    ]
    with (folder / "ground_positions.csv").open() as file:
        rows = list(csv.DictReader(file))
    shared = GroundPlaneEstimator(shared_camera=True).fit(scenes).given_cameras(scenes[0].size)[0]
    return [surveyed_frame(scene, rows, shared) for scene in scenes]


def surveyed_frame(scene: Scene, rows: list[dict[str, str]], shared: Camera) -> SurveyedFrame:
    number = int(scene.source_name.split("_")[1])
    surveyed = [(row["ground_x_m"], row["ground_y_m"]) for row in rows if int(row["frame"]) == number]
    feet = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]
    single = calibrate_camera(scene.full_boxes, scene.size, scene.focal_length_px).best()
    return SurveyedFrame(
        scene=scene,
        surveyed_m=np.array(surveyed, float),
        shared_m=shared.ground_from_pixels(feet),
        single_m=single.ground_from_pixels(feet),
    )


def distance_ratio(positions_m: np.ndarray, surveyed_m: np.ndarray) -> float:
    """Median ratio of the distances between all pairs of people."""
    pairs = np.triu_indices(len(positions_m), 1)
    return float(np.median(distances(positions_m)[pairs] / distances(surveyed_m)[pairs]))


def distances(positions_m: np.ndarray) -> np.ndarray:
    return np.hypot(*(positions_m[:, None] - positions_m).transpose(2, 0, 1))


def disc_densities(positions_m: np.ndarray, *, with_self: bool = True) -> np.ndarray:
    """People within 1.5 m of each person over the area of that disc, `[num_people]` persons/m²."""
    near = (distances(positions_m) <= DISC_M).sum(axis=1) - (0 if with_self else 1)
    return near / (math.pi * DISC_M**2)


def over_all_people(frames: list[SurveyedFrame], positions: str) -> tuple[float | None, float, float]:
    """Rank correlation, median and mean ratio of the disc densities at `positions` to those of the survey."""
    true = np.concatenate([disc_densities(frame.surveyed_m) for frame in frames])
    found = np.concatenate([disc_densities(getattr(frame, positions)) for frame in frames])
    return rank_correlation(found, true), float(np.median(found / true)), float(np.mean(found / true))


def kde_over_all_people(frames: list[SurveyedFrame]) -> tuple[float | None, float, float]:
    """The same for `kde` at each person, which leaves the person out: ratios where somebody is within 1.5 m."""
    true = np.concatenate([disc_densities(frame.surveyed_m, with_self=False) for frame in frames])
    found = np.concatenate([local_densities(valid_full_boxes(frame.scene), frame.scene.size) for frame in frames])
    ratios = found[true > 0] / true[true > 0]
    return rank_correlation(found, true), float(np.median(ratios)), float(np.mean(ratios))


def method_evaluations(frames: list[SurveyedFrame]) -> dict[str, tuple[EvaluationResult, EvaluationResult]]:
    """How each method agrees with a frame's mean surveyed disc density, and with that on the occupied ground.

    The latter is persons over the ground that they occupy, as `ground` defines it, at the surveyed positions; frames in
    which no group spans an area have none.
    """
    scenes = [frame.scene for frame in frames]
    shared = {"shared_camera": "true"}
    using = {name: estimator(name, scenes) for name in (*PUBLISHED, "ground", "voronoi")}
    using |= {f"{name}, one camera": estimator(name, scenes, **shared) for name in ("ground", "voronoi")}
    discs = [float(disc_densities(frame.surveyed_m).mean()) for frame in frames]
    occupied = [hull_density(frame.surveyed_m, find_groups(frame.surveyed_m)) for frame in frames]
    answers = estimate_densities(list(using.values()), scenes)
    return {
        name: (agreement(of_one, discs), agreement(of_one, [found and found[0] for found in occupied]))
        for name, of_one in zip(using, answers, strict=True)
    }


def agreement(densities: list[DensityEstimate], truth: Sequence[float | None]) -> EvaluationResult:
    known = [(density, true) for density, true in zip(densities, truth, strict=True) if true is not None]
    return evaluate([density for density, _ in known], [true for _, true in known], parse_scale("fruin-walkway"))


def estimator(name: str, scenes: list[Scene], **settings: str) -> DensityEstimator:
    return configure_estimator(installed_plugins().density_estimators[name], settings).fit(scenes)


def print_frames(frames: list[SurveyedFrame]) -> None:
    print("distances between people over the surveyed ones (median), and mean density in discs in persons/m²")
    print("| frame | persons | distances, one camera | distances, camera of the frame | surveyed | one camera |")
    print("|---|---|---|---|---|---|")
    for frame in frames:
        ratios = [distance_ratio(found, frame.surveyed_m) for found in (frame.shared_m, frame.single_m)]
        discs = [disc_densities(positions).mean() for positions in (frame.surveyed_m, frame.shared_m)]
        number = int(frame.scene.source_name.split("_")[1])
        print(
            f"| {number} | {len(frame.scene)} | {ratios[0]:.2f} | {ratios[1]:.2f} | {discs[0]:.2f} | {discs[1]:.2f} |"
        )


def print_people(frames: list[SurveyedFrame]) -> None:
    people = sum(len(frame.scene) for frame in frames)
    print(f"\ndensity in discs of {DISC_M} m over all {people} people, against the survey:")
    rows = {
        "one camera": over_all_people(frames, "shared_m"),
        "camera of the frame": over_all_people(frames, "single_m"),
        "kde": kde_over_all_people(frames),
    }
    for name, (rank, median, mean) in rows.items():
        print(f"  {name:20} rank correlation {rank:.3f}, ratio: median {median:.2f}, mean {mean:.2f}")


def print_methods(frames: list[SurveyedFrame]) -> None:
    print(
        f"\nover {len(frames)} frames, with the surveyed density: mean of the discs; on the ground that people occupy"
    )
    print("| method | told | rank, discs | rank, occupied ground | median error, occupied ground | interval holds it |")
    print("|---|---|---|---|---|---|")
    for name, (discs, occupied) in method_evaluations(frames).items():
        shares = ["–" if item is None else f"{item:.0%}" for item in (occupied.median_error, occupied.coverage)]
        ranks = f"{discs.rank_correlation:.2f} | {occupied.rank_correlation:.2f}"
        print(f"| {name} | {discs.told} | {ranks} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
