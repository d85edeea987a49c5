"""Accuracy of density estimates on synthetic crowds with known density.

Renders scenes as `crowdgan synth` does, shifts every edge of a box at random (standard deviation 2 % of the person's
height), and compares estimates with the ground truth: with known and unknown focal length, and with 20 % of the boxes
replaced by outliers; published methods on the same scenes. Also compares the peaks of local densities with those at the
true positions, measures people of whom only the head is annotated with the true camera, and counts warnings.
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
from crowdgan_core.synthetic.writer import RenderedImage, render_image
from crowdgan_core.utils.cpus import available_cpus
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_density.evaluation.metrics import EvaluationResult, evaluate, relative_errors, spearman
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.report import camera_warnings, report_scene
from crowdgan_density.ground_plane.voronoi_cells import peak_per_m2

NUM_SCENES = 300

EDGE_NOISE_FRACTION = 0.02
"""Standard deviation of box edges, as a fraction of the person's height."""

OUTLIER_FRACTION = 0.2
"""Fraction of boxes that are replaced by outliers."""

WRONG_FOCAL_FACTORS = (1 / 2.8, 0.5, 2.0)
"""Factors of the focal length, for which warnings are counted."""

PUBLISHED = ("threshold", "normalised", "euclidean", "grid", "grid-metres", "kde")
PHYSICAL = ("ground", "voronoi")


@dataclass(frozen=True, kw_only=True)
class KnownScene:
    """A scene with noisy boxes, and its ground truth."""

    scene: Scene
    density_per_m2: float
    peak_per_m2: float
    camera: tuple[float, float, float]
    """Height in m, pitch in degrees and focal length in px."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=NUM_SCENES, help="number of scenes")
    count = parser.parse_args().scenes
    config = SyntheticConfig(images=count, seed=11)
    known_scenes = list(parallel_map(partial(create_known_scene, config), range(count), workers=available_cpus()))
    scenes = [known.scene for known in known_scenes]
    ground_truth = {known.scene.source_name: known.density_per_m2 for known in known_scenes}
    scenes_with_outliers = [add_outliers(scene, index) for index, scene in enumerate(scenes)]
    scenes_without_focal_length = [replace(scene, focal_length_px=None) for scene in scenes]
    low, high = min(ground_truth.values()), max(ground_truth.values())
    print(f"{count} scenes of {low:.2f} to {high:.2f} persons/m², edge noise {EDGE_NOISE_FRACTION:.0%}")
    print("| method | unknown | Spearman | median error | 90 % | class accuracy | within one class | coverage |")
    print("|---|---|---|---|---|---|---|---|")
    print_rows("", (*PUBLISHED, *PHYSICAL), scenes, ground_truth)
    print_rows(f", {OUTLIER_FRACTION:.0%} outliers", (*PUBLISHED, *PHYSICAL), scenes_with_outliers, ground_truth)
    print_rows(", unknown focal length", PHYSICAL, scenes_without_focal_length, ground_truth)
    print_peaks(known_scenes)
    print_heads(known_scenes)
    print_warnings("", scenes)
    print_warnings(f", {OUTLIER_FRACTION:.0%} outliers", scenes_with_outliers)
    for factor in WRONG_FOCAL_FACTORS:
        wrong = [replace(scene, focal_length_px=(scene.focal_length_px or 0) * factor) for scene in scenes]
        print_warnings(f", {factor:.2g} of the focal length", wrong)
    print_time(scenes)


def create_known_scene(config: SyntheticConfig, index: int) -> KnownScene:
    """Renders a scene and adds noise to its boxes."""
    return known_scene_of(render_image(config, index), config.seed, index)


def known_scene_of(image: RenderedImage, seed: int, index: int) -> KnownScene:
    """The scene of a rendered image, with noise added to its boxes."""
    camera, people = image.ground_truth["camera"], image.ground_truth["people"]
    scene = Scene.from_annotations(
        parse_line(json.dumps(image.record), image.image_id)[1],
        source_name=image.image_id,
        size=tuple(camera["size"]),
        focal_length_px=camera["focal_length_px"],
    )
    rng = np.random.default_rng([seed, index, 1])
    edges = scene.full_boxes[:, 3:] * rng.normal(0, EDGE_NOISE_FRACTION, (len(scene), 4))
    noise = np.hstack([edges[:, :2], edges[:, 2:] - edges[:, :2]])
    positions = np.array([(person["x_m"], person["y_m"]) for person in people])
    return KnownScene(
        scene=replace(scene, full_boxes=scene.full_boxes + noise),
        density_per_m2=image.ground_truth["density_per_m2"],
        peak_per_m2=peak_per_m2(positions, np.array(image.ground_truth["region_m"])),
        camera=(camera["height_m"], camera["pitch_deg"], camera["focal_length_px"]),
    )


def add_outliers(scene: Scene, seed: int) -> Scene:
    """The scene with a random fraction of the boxes replaced by boxes of random position and size."""
    rng = np.random.default_rng([seed, 2])
    boxes = scene.full_boxes.copy()
    is_outlier = rng.random(len(scene)) < OUTLIER_FRACTION
    heights = np.exp(rng.uniform(np.log(15), np.log(300), is_outlier.sum()))
    centres = rng.uniform([0, 0], [scene.size[1], scene.size[0]], (is_outlier.sum(), 2))
    boxes[is_outlier] = np.stack(
        [centres[:, 0] - 0.2 * heights, centres[:, 1] - heights / 2, 0.4 * heights, heights], axis=1
    )
    return replace(scene, full_boxes=boxes)


def print_rows(condition: str, names: Sequence[str], scenes: list[Scene], ground_truth: dict[str, float]) -> None:
    """Prints one row of the table for each estimator."""
    classes = installed_plugins().density_estimators
    estimators = [configure_estimator(classes[name], {}) for name in names]
    results = evaluate(estimators, scenes, ground_truth, "fruin-walkway", workers=available_cpus())
    for name, result in results.items():
        num_unknown = result.images - result.num_estimated
        print(f"| `{name}`{condition} | {num_unknown} | {' | '.join(format_metrics(result))} |")


def format_metrics(result: EvaluationResult) -> list[str]:
    """Cells of a row of the table."""
    fractions = (
        *(result.median_error, result.high_error),
        *(result.class_accuracy, result.within_one_class, result.coverage),
    )
    return [format_optional(result.spearman, ".3f"), *(format_optional(fraction, ".1%") for fraction in fractions)]


def format_optional(value: float | None, format_spec: str) -> str:
    return "–" if value is None else f"{value:{format_spec}}"


def print_peaks(known_scenes: list[KnownScene]) -> None:
    """Prints the accuracy of the peaks of local densities."""
    measurements = [(GroundPlaneEstimator().measure(known.scene), known.peak_per_m2) for known in known_scenes]
    pairs = [(item.peak_per_m2, expected) for item, expected in measurements if isinstance(item, GroundMeasurement)]
    peaks, expected = np.array(pairs).T
    errors = relative_errors(peaks, expected)
    print(
        f"peaks: median ratio {np.median(peaks / expected):.2f}, median error {np.median(errors):.1%}, "
        f"90th percentile {np.quantile(errors, 0.9):.1%}, Spearman {format_optional(spearman(peaks, expected), '.3f')}"
    )


def print_heads(known_scenes: list[KnownScene]) -> None:
    """Prints the accuracy for head points with the true camera."""
    errors, covered = [], []
    for known in known_scenes:
        heads = known.scene.head_boxes.copy()
        points = np.hstack([heads[:, :2] + heads[:, 2:] / 2, np.zeros((len(heads), 2))])
        no_boxes = np.full((len(heads), 4), np.nan)
        scene = replace(known.scene, full_boxes=no_boxes, visible_boxes=no_boxes, head_boxes=points)
        estimate = GroundPlaneEstimator(cameras=known.camera).estimate(scene)
        if estimate.value is not None and estimate.interval is not None:
            errors.append(abs(estimate.value / known.density_per_m2 - 1))
            covered.append(estimate.interval[0] <= known.density_per_m2 <= estimate.interval[1])
    print(
        f"head points, true camera: unknown {len(known_scenes) - len(errors)}, median error {np.median(errors):.1%}, "
        f"90th percentile {np.quantile(errors, 0.9):.1%}, coverage {np.mean(covered):.1%}"
    )


def print_warnings(condition: str, scenes: list[Scene]) -> None:
    """Prints the number of scenes, and of sets of ten scenes, with a warning of `crowdgan calibrate`."""
    estimator = GroundPlaneEstimator()
    images = sum(bool(report_scene(estimator, scene).warnings) for scene in scenes)
    sets = [scenes[start :: max(len(scenes) // 10, 1)] for start in range(max(len(scenes) // 10, 1))]
    in_sets = sum(bool(camera_warnings(estimator, item)) for item in sets)
    print(f"warnings{condition}: {images} of {len(scenes)} scenes, {in_sets} of {len(sets)} sets of ten")


def print_time(scenes: list[Scene]) -> None:
    """Prints the time of the `ground` estimator per scene."""
    start = time.perf_counter()
    for scene in scenes:
        GroundPlaneEstimator().estimate(scene)
    print(f"`ground`: {(time.perf_counter() - start) / len(scenes) * 1e3:.0f} ms per scene")


if __name__ == "__main__":
    main()
