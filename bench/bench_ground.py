"""How right the densities are, on made-up crowds whose density is known.

Draws scenes as `crowdgan synth` does, moves every edge of a box by 2 % of the person's height at random, and compares
estimates with the truth: with the focal length known and unknown, and with a fifth of the boxes replaced by wrong ones;
the published methods on the same scenes. Then the peaks of local densities with those of the people's true positions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from crowdgan_core.density.options import configure_estimator
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.crowdhuman import parse_line
from crowdgan_core.synthetic import SyntheticConfig
from crowdgan_core.synthetic.writer import render_image
from crowdgan_core.utils.parallel import available_cpus, parallel_map
from crowdgan_density.evaluation.metrics import EvaluationResult, evaluate_all, rank_correlation, relative_errors
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.voronoi_cells import peak_per_m2
from crowdgan_density.level_of_service import LEVEL_OF_SERVICE_SCALES

SCENES = 300
BOX_NOISE = 0.02
"""Standard deviation of the edges of boxes, as a share of the person's height."""

WRONG_SHARE = 0.2
PUBLISHED = ("threshold", "normalised", "euclidean", "grid", "grid-metres", "kde")
PHYSICAL = ("ground", "voronoi")


@dataclass(frozen=True, kw_only=True)
class Known:
    """A scene with noisy boxes, and what is true of it."""

    scene: Scene
    density_per_m2: float
    peak_per_m2: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=SCENES)
    count = parser.parse_args().scenes
    settings = SyntheticConfig(images=count, seed=11)
    known = list(parallel_map(partial(known_scene, settings), range(count), workers=available_cpus()))
    scenes, truth = [item.scene for item in known], {item.scene.source_name: item.density_per_m2 for item in known}
    wrong = [with_wrong_boxes(scene, index) for index, scene in enumerate(scenes)]
    low, high = min(truth.values()), max(truth.values())
    print(f"{count} scenes of {low:.2f} to {high:.2f} persons/m², box edges wrong by {BOX_NOISE:.0%}")
    print(
        "| method | cannot tell | rank correlation | error, median | 90 % | exact level | within one | interval holds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    report("", (*PUBLISHED, *PHYSICAL), scenes, truth)
    report(f", {WRONG_SHARE:.0%} of the boxes wrong", (*PUBLISHED, *PHYSICAL), wrong, truth)
    report(", focal length unknown", PHYSICAL, [replace(scene, focal_length_px=None) for scene in scenes], truth)
    report_peaks(known)
    report_time(scenes)


def known_scene(settings: SyntheticConfig, index: int) -> Known:
    made = render_image(settings, index)
    camera, people = made.truth["camera"], made.truth["people"]
    scene = Scene.from_annotations(
        parse_line(json.dumps(made.record), made.image_id)[1],
        source_name=made.image_id,
        size=tuple(camera["size"]),
        focal_length_px=camera["focal_length_px"],
    )
    rng = np.random.default_rng([settings.seed, index, 1])
    edges = scene.full_boxes[:, 3:] * rng.normal(0, BOX_NOISE, (len(scene), 4))
    moved = np.hstack([edges[:, :2], edges[:, 2:] - edges[:, :2]])
    positions = np.array([(person["x_m"], person["y_m"]) for person in people])
    return Known(
        scene=replace(scene, full_boxes=scene.full_boxes + moved),
        density_per_m2=made.truth["density_per_m2"],
        peak_per_m2=peak_per_m2(positions, np.array(made.truth["region_m"])),
    )


def with_wrong_boxes(scene: Scene, seed: int) -> Scene:
    """The scene with a fifth of the boxes anywhere in the image and of any size."""
    rng = np.random.default_rng([seed, 2])
    boxes = scene.full_boxes.copy()
    wrong = rng.random(len(scene)) < WRONG_SHARE
    heights = np.exp(rng.uniform(np.log(15), np.log(300), wrong.sum()))
    centres = rng.uniform([0, 0], [scene.size[1], scene.size[0]], (wrong.sum(), 2))
    boxes[wrong] = np.stack(
        [centres[:, 0] - 0.2 * heights, centres[:, 1] - heights / 2, 0.4 * heights, heights], axis=1
    )
    return replace(scene, full_boxes=boxes)


def report(given: str, names: Sequence[str], scenes: list[Scene], truth: dict[str, float]) -> None:
    classes = installed_plugins().density_estimators
    estimators = [configure_estimator(classes[name], {}) for name in names]
    scale = LEVEL_OF_SERVICE_SCALES["fruin-walkway"]
    for name, found in evaluate_all(estimators, scenes, truth, scale, workers=available_cpus()).items():
        print(f"| `{name}`{given} | {found.images - found.told} | {' | '.join(figures(found))} |")


def figures(found: EvaluationResult) -> list[str]:
    shares = (found.median_error, found.high_error, found.exact_class, found.within_one_class, found.coverage)
    return [f"{found.rank_correlation:.3f}", *("–" if share is None else f"{share:.1%}" for share in shares)]


def report_peaks(known: list[Known]) -> None:
    measured = [(GroundPlaneEstimator().measured(item.scene), item.peak_per_m2) for item in known]
    pairs = [(found.peak_per_m2, true) for found, true in measured if isinstance(found, GroundMeasurement)]
    peaks, true = np.array(pairs).T
    errors = relative_errors(peaks, true)
    print(
        f"peaks: median ratio {np.median(peaks / true):.2f}, median error {np.median(errors):.1%}, "
        f"90th percentile {np.quantile(errors, 0.9):.1%}, rank correlation {rank_correlation(peaks, true):.3f}"
    )


def report_time(scenes: list[Scene]) -> None:
    started = time.perf_counter()
    for scene in scenes:
        GroundPlaneEstimator().estimate(scene)
    print(f"`ground`: {(time.perf_counter() - started) / len(scenes) * 1e3:.0f} ms per scene")


if __name__ == "__main__":
    main()
