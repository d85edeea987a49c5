"""Checks of a density estimator, and example scenes for them."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
from collections.abc import Mapping

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, Layer, layer_coordinates, layer_values
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.scenes.scene import BOX_FIELDS, FLAG_FIELDS, Scene
from crowdgan_core.testing._require import require

EXAMPLE_CAMERA = Camera(height_m=5.0, pitch_rad=math.radians(20), focal_length_px=560.0, size=(480, 640))
"""What sees the example scenes."""

EXAMPLE_GROUND_M = (6.0, 12.0)
"""Width and depth of the ground on which people stand in example scenes, in metres; its middle is 16 m away."""

EXAMPLE_DISTANCE_M = 16.0

SAME = 1e-9
"""Relative difference up to which two values count as the same."""


def example_scene(person_count: int, *, extent: float = 1.0, seed: int = 0) -> Scene:
    """A made-up scene of people on flat ground, with full, visible and head boxes, and the focal length.

    Args:
        person_count: number of persons.
        extent: share of the ground's width and depth over which they stand, around its middle; smaller is denser.
        seed: decides where they stand.
    """
    rng = np.random.default_rng(seed)
    places = rng.uniform(-0.5, 0.5, (person_count, 2)) * EXAMPLE_GROUND_M * extent + [0.0, EXAMPLE_DISTANCE_M]
    heights = rng.normal(MEAN_HEIGHT_M, 0.05, (person_count, 1))
    feet = EXAMPLE_CAMERA.project(np.hstack([places, np.zeros_like(heights)]))
    tops = EXAMPLE_CAMERA.project(np.hstack([places, heights]))
    tall = feet[:, 1] - tops[:, 1]
    boxes = np.stack([feet[:, 0] - 0.2 * tall, tops[:, 1], 0.4 * tall, tall], axis=1)
    heads = np.stack([feet[:, 0] - 0.06 * tall, tops[:, 1], 0.12 * tall, 0.14 * tall], axis=1)
    return Scene(
        source_name=f"example-{person_count}",
        size=EXAMPLE_CAMERA.size,
        full_boxes=boxes,
        visible_boxes=boxes,
        head_boxes=heads,
        focal_length_px=EXAMPLE_CAMERA.focal_length_px,
    )


def check_density_estimator(estimator_class: type[DensityEstimator], settings: Mapping[str, str] | None = None) -> None:
    """Checks a density estimator against the contract, on example scenes.

    It has a name, a unit and two or more classes; it is a frozen dataclass that can be pickled; scenes without
    people, with one, with many and with heads alone get an answer, in its unit and classes; the order of people does
    not matter; scenes are not changed; a more crowded scene gets a larger value. What `explain` offers are layers of
    finite coordinates and values.

    Args:
        estimator_class: the class, as the plugin's hook returns it.
        settings: options as `--set` gives them, for classes that need some.

    Raises:
        AssertionError: it breaks the contract; the message says how.
    """
    _check_class(estimator_class)
    sparse, crowded = example_scene(6), example_scene(80, extent=0.5)
    scenes = [sparse, crowded, example_scene(25, seed=1), example_scene(1), example_scene(0)]
    estimator = configure_estimator(estimator_class, settings or {}).fit(scenes)
    require(estimator.name == estimator_class.name, "fit must return an estimator of the same name")
    _check_classes(estimator)
    for scene in (*scenes, _heads_alone(example_scene(5))):
        _check_answer(estimator, scene)
        _check_layers(estimator, scene)
    _check_order(estimator, crowded)
    low, high = estimator.estimate(sparse).value, estimator.estimate(crowded).value
    require(low is not None and high is not None, "6 and 80 persons in an image must get a value")
    if low is not None and high is not None:
        found = f"6 persons over the whole image give {low:g}, 80 in the middle of it {high:g}"
        require(high > low, f"the value must grow with crowding: {found}")
    _check_pickling(estimator)


def _check_class(estimator_class: type[DensityEstimator]) -> None:
    name = getattr(estimator_class, "name", None)
    valid = isinstance(name, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) is not None
    require(valid, f"name is {name!r}; it must be lower-case words and digits joined by hyphens")
    unit = getattr(estimator_class, "unit", None)
    require(isinstance(unit, str) and unit != "", f"unit is {unit!r}; it must say what the value counts")
    parameters = getattr(estimator_class, "__dataclass_params__", None)
    require(parameters is not None and parameters.frozen, "the class must be a frozen dataclass")
    require(bool(estimator_class.__doc__), "the class needs a docstring: its first line is the help text")


def _check_classes(estimator: DensityEstimator) -> None:
    classes = tuple(estimator.classes)
    require(len(classes) >= 2, f"classes are {classes}; there must be at least two")
    require(len(set(classes)) == len(classes), f"classes are {classes}; no two may have the same name")


def _check_answer(estimator: DensityEstimator, scene: Scene) -> None:
    before = _copied(scene)
    density = estimator.estimate(scene)
    where = f"scene of {len(scene)} persons"
    require(isinstance(density, DensityEstimate), f"{where}: estimate returned {type(density).__name__}, not Density")
    require(density.unit == estimator.unit, f"{where}: unit is {density.unit!r}, not {estimator.unit!r}")
    if density.value is not None:
        finite = math.isfinite(density.value)
        require(finite, f"{where}: the value is {density.value}; say why it cannot be told instead")
        index = density.class_index
        valid = index is not None and 0 <= index < len(estimator.classes)
        require(valid, f"{where}: class_index is {index}; there are {len(estimator.classes)} classes")
    if density.interval is not None and density.value is not None:
        low, high = density.interval
        require(low <= density.value <= high, f"{where}: the value {density.value} is outside of its interval")
    unchanged = all(np.array_equal(array, getattr(scene, key), equal_nan=True) for key, array in before.items())
    require(unchanged, f"{where}: estimate must not change the scene")


def _check_layers(estimator: DensityEstimator, scene: Scene) -> None:
    before = _copied(scene)
    layers = estimator.explain(scene)
    where = f"scene of {len(scene)} persons"
    require(
        isinstance(layers, (list, tuple)), f"{where}: explain returned {type(layers).__name__}, not a list or tuple"
    )
    for layer in layers:
        require(isinstance(layer, Layer), f"{where}: explain offers {layer!r:.60}, no layer of crowdgan_core.layers")
        found = f"{where}: the layer {layer.label!r} has"
        require(bool(np.isfinite(layer_coordinates(layer)).all()), f"{found} coordinates that are not finite")
        values = layer_values(layer)
        may_be_nan = isinstance(layer, HeatmapLayer)
        finite = values is None or bool((np.isfinite(values) | (np.isnan(values) & may_be_nan)).all())
        require(finite, f"{found} values that are not finite")
    unchanged = all(np.array_equal(array, getattr(scene, key), equal_nan=True) for key, array in before.items())
    require(unchanged, f"{where}: explain must not change the scene")


def _check_order(estimator: DensityEstimator, scene: Scene) -> None:
    value = estimator.estimate(scene).value
    turned = estimator.estimate(scene.select(np.arange(len(scene))[::-1])).value
    same = value == turned or (value is not None and turned is not None and math.isclose(value, turned, rel_tol=SAME))
    require(same, f"the order of persons must not matter: {value} becomes {turned} when it is reversed")


def _check_pickling(estimator: DensityEstimator) -> None:
    try:
        copy = pickle.loads(pickle.dumps(estimator))  # noqa: S301  our own bytes
    except Exception as error:  # whatever the class's own code raises
        raise AssertionError(f"it cannot be sent to worker processes: {error}") from error
    require(copy == estimator, "a pickled copy must equal the estimator")


def _heads_alone(scene: Scene) -> Scene:
    nothing = np.full((len(scene), 4), np.nan)
    return dataclasses.replace(scene, full_boxes=nothing, visible_boxes=nothing)


def _copied(scene: Scene) -> dict[str, np.ndarray]:
    return {key: getattr(scene, key).astype(float) for key in (*BOX_FIELDS, *FLAG_FIELDS)}
