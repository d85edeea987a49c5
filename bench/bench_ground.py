"""How right the physical densities are, on made-up crowds whose density is known.

Draws scenes as `crowdgan synth` does, moves every edge of a box by 2 % of the person's height at random, and compares
persons/m² with the truth: with the focal length known and unknown, and with a fifth of the boxes replaced by wrong
ones. Then the published methods on the same scenes, by rank correlation.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import spearmanr

from crowdgan_core.density import DensityEstimator, configure
from crowdgan_core.parallel import ordered_map, usable_cores
from crowdgan_core.plugins import installed_plugins
from crowdgan_core.scene import Scene
from crowdgan_core.sources.crowdhuman import parse_line
from crowdgan_core.synthetic import SynthSettings
from crowdgan_core.synthetic.download import make_picture
from crowdgan_density.level_of_service import SCALES

SCENES = 300
BOX_NOISE = 0.02
"""Standard deviation of the edges of boxes, as a share of the person's height."""

WRONG_SHARE = 0.2
PUBLISHED = ("threshold", "normalised", "euclidean", "grid", "grid-metres", "kde")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=SCENES)
    count = parser.parse_args().scenes
    settings = SynthSettings(images=count, seed=11)
    made = list(ordered_map(partial(known_scene, settings), range(count), workers=usable_cores()))
    scenes, truth = [scene for scene, _ in made], np.array([density for _, density in made])
    wrong = [with_wrong_boxes(scene, index) for index, scene in enumerate(scenes)]
    unknown = [replace(scene, focal_length_px=None) for scene in scenes]
    print(f"{count} scenes of {truth.min():.2f} to {truth.max():.2f} persons/m², box edges wrong by {BOX_NOISE:.0%}")
    for title, given in (
        ("focal length known", scenes),
        ("focal length known, 20 % of the boxes wrong", wrong),
        ("focal length unknown", unknown),
    ):
        report(title, estimator("ground"), given, truth)
    print("rank correlation with the true density:")
    for name in (*PUBLISHED, "ground", "voronoi"):
        values = [estimate.value for estimate in estimates(estimator(name, scenes), scenes)]
        known = [index for index, value in enumerate(values) if value is not None]
        rank = spearmanr([values[index] for index in known], truth[known]).statistic
        print(f"  {name:12} {rank:6.3f}   cannot tell: {count - len(known)}")


def known_scene(settings: SynthSettings, index: int) -> tuple[Scene, float]:
    """A scene with noisy boxes, and its density in persons/m²."""
    made = make_picture(settings, index)
    camera = made.truth["camera"]
    scene = Scene.of(
        parse_line(json.dumps(made.record), made.picture_id)[1],
        source_name=made.picture_id,
        size=tuple(camera["size"]),
        focal_length_px=camera["focal_length_px"],
    )
    rng = np.random.default_rng([settings.seed, index, 1])
    edges = scene.full_boxes[:, 3:] * rng.normal(0, BOX_NOISE, (len(scene), 4))
    moved = np.hstack([edges[:, :2], edges[:, 2:] - edges[:, :2]])
    return replace(scene, full_boxes=scene.full_boxes + moved), made.truth["density_per_m2"]


def with_wrong_boxes(scene: Scene, seed: int) -> Scene:
    """The scene with a fifth of the boxes anywhere in the picture and of any size."""
    rng = np.random.default_rng([seed, 2])
    boxes = scene.full_boxes.copy()
    wrong = rng.random(len(scene)) < WRONG_SHARE
    heights = np.exp(rng.uniform(np.log(15), np.log(300), wrong.sum()))
    centres = rng.uniform([0, 0], [scene.size[1], scene.size[0]], (wrong.sum(), 2))
    boxes[wrong] = np.stack(
        [centres[:, 0] - 0.2 * heights, centres[:, 1] - heights / 2, 0.4 * heights, heights], axis=1
    )
    return replace(scene, full_boxes=boxes)


def estimator(name: str, scenes: list[Scene] | None = None) -> DensityEstimator:
    return configure(installed_plugins().density_estimators[name], {}).fit(scenes or [])


def estimates(using: DensityEstimator, scenes: list[Scene]) -> list:
    return [using.estimate(scene) for scene in scenes]


def report(title: str, using: DensityEstimator, scenes: list[Scene], truth: np.ndarray) -> None:
    started = time.perf_counter()
    found = estimates(using, scenes)
    per_scene_ms = (time.perf_counter() - started) / len(scenes) * 1e3
    told = [index for index, density in enumerate(found) if density.value is not None]
    values, true = np.array([found[index].value for index in told]), truth[told]
    errors = np.abs(values / true - 1)
    scale = SCALES["fruin-walkway"]
    steps = np.abs([scale.class_index(a) - scale.class_index(b) for a, b in zip(values, true, strict=True)])
    covered = [found[i].interval[0] <= truth[i] <= found[i].interval[1] for i in told]
    widths = [found[i].interval[1] / found[i].interval[0] for i in told]
    print(f"{title}: {per_scene_ms:.0f} ms per scene, cannot tell {len(scenes) - len(told)}")
    print(f"  relative error: median {np.median(errors):.1%}, 90th percentile {np.quantile(errors, 0.9):.1%}")
    print(f"  fruin-walkway: exact {np.mean(steps == 0):.1%}, within one class {np.mean(steps <= 1):.1%}")
    rank = spearmanr(values, true).statistic
    print(
        f"  rank correlation {rank:.3f}, interval covers {np.mean(covered):.1%} (upper/lower {np.median(widths):.2f})"
    )


if __name__ == "__main__":
    main()
