"""Contract check of a density estimator, and example scenes for it."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Mapping, Sequence

import numpy as np

from crowdgan_core.density.checked_calls import exact_class_bounds, explain_scene
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, layer_coordinates, layer_values
from crowdgan_core.density.options import check_options, configure_estimator
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.scenes.scene import BOX_FIELDS, FLAG_FIELDS, Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.testing._require import plugin_errors_fail, require

EXAMPLE_CAMERA = Camera(height_m=5.0, pitch_rad=math.radians(20), focal_length_px=560.0, size=(480, 640))
"""Camera of the example scenes."""

EXAMPLE_GROUND_M = (6.0, 12.0)
"""Width and depth in metres of the ground region with people in example scenes."""

EXAMPLE_DISTANCE_M = 16.0
"""Distance in metres from the camera to the centre of that region."""

EXAMPLE_HEIGHT_SD_M = 0.05
"""Standard deviation of people's heights in example scenes."""

MAX_RELATIVE_DIFFERENCE = 1e-9
"""Relative difference up to which two values are equal."""

COINCIDENT_PEOPLE = 8
"""People at one position, in a scene for which an estimate must not depend on the last digits of boxes."""

COINCIDENT_OFFSETS_PX = 1e-9
"""Standard deviation of the positions of these people in pixels, far below the precision of any annotation."""

OUTPUT_SIZES = ((64, 64), (256, 256), (1024, 1024))
"""Output sizes of the same crop, for which an estimate must be the same."""


def example_scene(person_count: int, *, extent: float = 1.0, seed: int = 0) -> Scene:
    """A synthetic scene of people on flat ground, with full, visible and head boxes, and the focal length.

    Args:
        person_count: number of people.
        extent: fraction of the width and depth of the ground region that people occupy, around its centre; a smaller
            fraction gives a denser scene.
        seed: random seed of the positions.
    """
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-0.5, 0.5, (person_count, 2)) * EXAMPLE_GROUND_M * extent + [0.0, EXAMPLE_DISTANCE_M]
    heights = rng.normal(MEAN_HEIGHT_M, EXAMPLE_HEIGHT_SD_M, (person_count, 1))
    feet = EXAMPLE_CAMERA.project(np.hstack([positions, np.zeros_like(heights)]))
    tops = EXAMPLE_CAMERA.project(np.hstack([positions, heights]))
    heights_px = feet[:, 1] - tops[:, 1]
    boxes = np.stack([feet[:, 0] - 0.2 * heights_px, tops[:, 1], 0.4 * heights_px, heights_px], axis=1)
    heads = np.stack([feet[:, 0] - 0.06 * heights_px, tops[:, 1], 0.12 * heights_px, 0.14 * heights_px], axis=1)
    return Scene(
        source_name=f"example-{person_count}",
        size=EXAMPLE_CAMERA.size,
        full_boxes=boxes,
        visible_boxes=boxes,
        head_boxes=heads,
        focal_length_px=EXAMPLE_CAMERA.focal_length_px,
    )


@plugin_errors_fail()
def check_density_estimator(estimator_class: type[DensityEstimator], settings: Mapping[str, str] | None = None) -> None:
    """Checks a density estimator against the contract, on example scenes.

    - It is a frozen dataclass with a name, a unit, a docstring and at least two classes, and can be pickled. The types
      of its options are supported.
    - Scenes with no person, one, many, and head boxes only give an estimate in its unit and classes, or a reason why
      the density is unknown.
    - If it states class boundaries, there is one fewer than classes, they name its options, and the class of each
      estimate agrees with them.
    - The order of people does not matter, scenes are not modified, and a denser scene has a larger value.
    - Ignore regions are not counted as people.
    - The estimate of people at one position does not depend on the last digits of their boxes.
    - The estimate of a crop is the same for every output size.
    - `explain` returns layers with finite coordinates and values.

    Args:
        estimator_class: the class, as returned by the plugin's hook.
        settings: options as texts, as in `--set`, for classes that require some.

    Raises:
        AssertionError: the estimator violates the contract; the message describes how.
    """
    _check_class(estimator_class)
    sparse, dense = example_scene(6), example_scene(80, extent=0.5)
    scenes = [sparse, dense, example_scene(25, seed=1), example_scene(1), example_scene(0)]
    estimator = configure_estimator(estimator_class, settings or {}).fit(scenes)
    require(estimator.name == estimator_class.name, "fit must return an estimator of the same name")
    _check_classes(estimator)
    for scene in (*scenes, _keep_head_boxes(example_scene(5))):
        _check_estimate(estimator, scene)
        _check_layers(estimator, scene)
    _check_class_bounds(estimator, scenes)
    _check_order(estimator, dense)
    _check_ignore_regions(estimator, sparse)
    _check_coincident_people(estimator)
    _check_crops(estimator, dense)
    _check_monotonicity(estimator, sparse, dense)
    _check_pickling(estimator)


def _check_class(estimator_class: type[DensityEstimator]) -> None:
    name = getattr(estimator_class, "name", None)
    is_valid = isinstance(name, str) and PLUGIN_NAME_PATTERN.fullmatch(name) is not None
    require(is_valid, f"name is {name!r}; it must be lower-case words and digits joined by hyphens")
    unit = getattr(estimator_class, "unit", None)
    require(isinstance(unit, str) and unit != "", f"unit is {unit!r}; it must be a non-empty string")
    parameters = getattr(estimator_class, "__dataclass_params__", None)
    require(parameters is not None and parameters.frozen, "the class must be a frozen dataclass")
    require(bool(estimator_class.__doc__), "the class needs a docstring; its first line is the help text")
    check_options(estimator_class)


def _check_classes(estimator: DensityEstimator) -> None:
    classes = tuple(estimator.classes)
    require(len(classes) >= 2, f"classes are {classes}; there must be at least two")
    require(len(set(classes)) == len(classes), f"classes are {classes}; names must be unique")


def _check_class_bounds(estimator: DensityEstimator, scenes: Sequence[Scene]) -> None:
    bounds = exact_class_bounds(estimator)
    if bounds is None:
        return
    for scene in scenes:
        estimate = estimator.estimate(scene)
        if estimate.value is not None:
            index, expected = estimate.class_index, bounds.class_index(estimate.value)
            found = f"scene of {len(scene)} people: class_index is {index} for the value {estimate.value:g}"
            require(index == expected, f"{found}; by class_bounds it is {expected}")


def _check_estimate(estimator: DensityEstimator, scene: Scene) -> None:
    before = _copy_arrays(scene)
    estimate = estimator.estimate(scene)
    where = f"scene of {len(scene)} people"
    is_estimate = isinstance(estimate, DensityEstimate)
    require(is_estimate, f"{where}: estimate returned {type(estimate).__name__}, not DensityEstimate")
    require(estimate.unit == estimator.unit, f"{where}: unit is {estimate.unit!r}, not {estimator.unit!r}")
    if estimate.value is not None:
        is_finite = math.isfinite(estimate.value)
        require(is_finite, f"{where}: the value is {estimate.value}; return DensityEstimate.unknown with a reason")
        index = estimate.class_index
        is_valid = index is not None and 0 <= index < len(estimator.classes)
        require(is_valid, f"{where}: class_index is {index}; there are {len(estimator.classes)} classes")
    if estimate.interval is not None and estimate.value is not None:
        low, high = estimate.interval
        require(low <= estimate.value <= high, f"{where}: the value {estimate.value} is outside its interval")
    if estimate.peak is not None and estimate.value is not None:
        is_peak = estimate.value <= estimate.peak < math.inf
        require(is_peak, f"{where}: the peak {estimate.peak} is below the value {estimate.value} or not finite")
    _check_unchanged(scene, before, f"{where}: estimate must not modify the scene")


def _check_layers(estimator: DensityEstimator, scene: Scene) -> None:
    before = _copy_arrays(scene)
    where = f"scene of {len(scene)} people"
    for layer in explain_scene(estimator, scene):
        name = f"{where}: the layer {layer.label!r}"
        require(bool(np.isfinite(layer_coordinates(layer)).all()), f"{name} has coordinates that are not finite")
        values = layer_values(layer)
        may_be_nan = isinstance(layer, HeatmapLayer)
        is_finite = values is None or bool((np.isfinite(values) | (np.isnan(values) & may_be_nan)).all())
        require(is_finite, f"{name} has values that are not finite")
    _check_unchanged(scene, before, f"{where}: explain must not modify the scene")


def _check_order(estimator: DensityEstimator, scene: Scene) -> None:
    value = estimator.estimate(scene).value
    reversed_value = estimator.estimate(scene.select(np.arange(len(scene))[::-1])).value
    is_equal = _are_equal(value, reversed_value)
    require(is_equal, f"the order of people must not matter: {value} becomes {reversed_value} in reversed order")


def _check_ignore_regions(estimator: DensityEstimator, scene: Scene) -> None:
    """Checks that ignore regions at the positions of people do not change the value."""
    rows = np.tile(np.arange(len(scene)), 2)
    is_added = np.arange(2 * len(scene)) >= len(scene)
    with_regions = dataclasses.replace(scene.select(rows), ignore=is_added, tagged_person=~is_added)
    value, changed = estimator.estimate(scene).value, estimator.estimate(with_regions).value
    counts = f"{len(scene)} people and {len(scene)} ignore regions"
    require(_are_equal(value, changed), f"ignore regions are not people: for {counts}, {value} becomes {changed}")


def _check_coincident_people(estimator: DensityEstimator) -> None:
    scene = example_scene(1).select(np.zeros(COINCIDENT_PEOPLE, int))
    offsets = np.random.default_rng(0).normal(0, COINCIDENT_OFFSETS_PX, (COINCIDENT_PEOPLE, 4)) * [1, 1, 0, 0]
    moved = dataclasses.replace(scene, **{name: getattr(scene, name) + offsets for name in BOX_FIELDS})
    value, moved_value = estimator.estimate(scene).value, estimator.estimate(moved).value
    change = f"moved by {COINCIDENT_OFFSETS_PX:g} px, {value} becomes {moved_value}"
    require(
        _are_equal(value, moved_value),
        f"the last digits of boxes must not matter: for people at one position, {change}",
    )


def _are_equal(value: float | None, other: float | None) -> bool:
    """Whether two values are equal within `MAX_RELATIVE_DIFFERENCE`, or both unknown."""
    if value is None or other is None:
        return value is other
    return math.isclose(value, other, rel_tol=MAX_RELATIVE_DIFFERENCE)


def _check_crops(estimator: DensityEstimator, scene: Scene) -> None:
    transforms = [ImageTransform(name="center-crop", size=size) for size in OUTPUT_SIZES]
    crops = [transform.scene(scene, transform.geometry(scene.size)) for transform in transforms]
    _check_estimate(estimator, crops[0])
    _check_layers(estimator, crops[0])
    first, *others = (estimator.estimate(crop) for crop in crops)
    for other in others:
        require(other == first, f"the output size must not matter: the estimate of a crop is {first!r} or {other!r}")


def _check_monotonicity(estimator: DensityEstimator, sparse: Scene, dense: Scene) -> None:
    low, high = estimator.estimate(sparse).value, estimator.estimate(dense).value
    counts = f"{len(sparse)} and {len(dense)} people"
    require(low is not None and high is not None, f"scenes of {counts} must have a value, not be unknown")
    if low is not None and high is not None:
        require(high > low, f"the value must increase with density: scenes of {counts} give {low:g} and {high:g}")


def _check_pickling(estimator: DensityEstimator) -> None:
    try:
        copy = pickle.loads(pickle.dumps(estimator))  # noqa: S301  our own bytes
    except Exception as error:  # the class's code may raise any exception
        raise AssertionError(f"it cannot be sent to worker processes: {error}") from error
    require(copy == estimator, "a pickled copy must equal the estimator")


def _keep_head_boxes(scene: Scene) -> Scene:
    missing = np.full((len(scene), 4), np.nan)
    return dataclasses.replace(scene, full_boxes=missing, visible_boxes=missing)


def _copy_arrays(scene: Scene) -> dict[str, np.ndarray]:
    return {key: getattr(scene, key).astype(float) for key in (*BOX_FIELDS, *FLAG_FIELDS)}


def _check_unchanged(scene: Scene, before: Mapping[str, np.ndarray], message: str) -> None:
    require(all(np.array_equal(array, getattr(scene, key), equal_nan=True) for key, array in before.items()), message)
