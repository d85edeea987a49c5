"""Overlay layers of `ground` and `voronoi`: local density and hot spots, in the image and from above in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer, TextLayer
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_density.ground_plane.density_map import DensityMap, cell_centres, density_map
from crowdgan_density.ground_plane.hot_spots import find_hot_spots
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.view import GroundProjection, visible_ground
from crowdgan_density.level_of_service_scales import LevelOfServiceScale

MAX_GRID_LINES = 12
"""Maximum number of lines of the metric grid across the larger side of the ground."""

GRID_SPACINGS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Distances between lines of the grid in metres."""

IMAGE_CELLS = 640
"""Cells along the longer side of the map over the image, ours: the edges of classes look smooth."""

HOMOGRAPHY_AXIS_LABELS = ("x in metres (homography)", "y in metres (homography)")
"""Labels of the view from above in the ground system of a homography, whose origin and directions are arbitrary."""


def density_map_layers(
    scene: Scene, measurement: GroundMeasurement, scale: LevelOfServiceScale, unit: str
) -> tuple[Layer, ...]:
    """The map of the local density on occupied ground, hot spots, visible ground, people, grid, peak and camera."""
    ground_map = density_map(measurement.groups_m, measurement.people_per_position)
    if ground_map is None:
        return _view_layers(scene, measurement)
    shared: dict[str, Any] = {"label": "local density on occupied ground", "unit": unit}
    shared["classes"] = scale.value_classes()
    occupied, extent_m = ground_map.occupied_values_per_m2(), ground_map.extent_m
    maps: list[Layer] = [HeatmapLayer(**shared, space="ground", values=occupied, extent=extent_m)]
    if (image_map := _map_in_image(scene, measurement.projection, ground_map)) is not None:
        maps.append(HeatmapLayer(**shared, values=image_map[0], extent=image_map[1]))
    return (
        *maps,
        *_outline_layers(scene, measurement.projection, ground_map),
        *_view_layers(scene, measurement),
        *_hot_spot_layers(scene, measurement, ground_map, scale, unit),
        *_text_layers(measurement, scale, unit),
    )


def voronoi_cell_layers(
    scene: Scene,
    measurement: GroundMeasurement,
    cells_m: Sequence[Points],
    values: FloatArray,
    scale: LevelOfServiceScale,
    unit: str,
) -> tuple[Layer, ...]:
    """The Voronoi cells inside groups, filled by their local densities, and the further layers of `ground`."""
    cells_px = [_project(scene, measurement.projection, cell) for cell in cells_m]
    is_visible = [bool(np.isfinite(cell).all()) for cell in cells_px]
    in_image = [cell for cell, visible in zip(cells_px, is_visible, strict=True) if visible]
    shared: dict[str, Any] = {"label": "local density in Voronoi cells inside groups", "unit": unit}
    shared["classes"] = scale.value_classes()
    ground_map = density_map(measurement.groups_m, measurement.people_per_position)
    if ground_map is None:
        return _view_layers(scene, measurement)
    map_in_cells = replace(ground_map, hulls_m=tuple(cells_m))  # hot spots on coloured ground only
    return (
        PolygonLayer(**shared, polygons=in_image, values=values[is_visible]),
        PolygonLayer(**shared, polygons=cells_m, values=values, space="ground"),
        *_outline_layers(scene, measurement.projection, ground_map),
        *_view_layers(scene, measurement),
        *_hot_spot_layers(scene, measurement, map_in_cells, scale, unit),
        *_text_layers(measurement, scale, unit),
    )


def _outline_layers(scene: Scene, projection: GroundProjection, ground_map: DensityMap) -> tuple[Layer, ...]:
    """Outlines of the occupied ground, in the image and from above."""
    hulls_px = [_project(scene, projection, hull) for hull in ground_map.hulls_m]
    return (
        PolygonLayer(label="occupied ground", polygons=hulls_px),
        PolygonLayer(label="occupied ground", polygons=ground_map.hulls_m, space="ground"),
    )


def _view_layers(scene: Scene, measurement: GroundMeasurement) -> tuple[Layer, ...]:
    """A metric grid in the image, the visible ground from above, and people in both."""
    projection = measurement.projection
    ground = visible_ground(measurement.view, projection, measurement.positions_m)
    spacing_m, lines_m = _metric_grid(ground)
    lines_px = [line for item in lines_m if np.isfinite(line := _project(scene, projection, item)).all()]
    axis_labels = None if isinstance(projection, Camera) else HOMOGRAPHY_AXIS_LABELS
    return (
        LineLayer(label=f"{spacing_m:g} m on the ground", lines=lines_px, is_reference=True),
        PolygonLayer(label="visible ground", space="ground", polygons=[ground], axis_labels=axis_labels),
        PointLayer(label="people", points=_project(scene, projection, measurement.positions_m)),
        PointLayer(label="people", space="ground", points=measurement.positions_m),
    )


def _hot_spot_layers(
    scene: Scene,
    measurement: GroundMeasurement,
    ground_map: DensityMap,
    scale: LevelOfServiceScale,
    unit: str,
) -> tuple[Layer, ...]:
    """The hot spots of the map with density and level, in the image and from above."""
    spots = find_hot_spots(ground_map, measurement.positions_m)
    if not spots:
        return ()
    densities = [spot.density_per_m2 for spot in spots]
    levels = [f" · {scale.classes[scale.class_index(density)]}" if scale.is_named else "" for density in densities]
    shared: dict[str, Any] = {"label": f"highest density within 1 m ({unit}{', level' if scale.is_named else ''})"}
    shared["texts"] = [_format_density(item) + level for item, level in zip(densities, levels, strict=True)]
    points_m = np.array([spot.position_m for spot in spots])
    return (
        PointLayer(**shared, points=_project(scene, measurement.projection, points_m)),
        PointLayer(**shared, points=points_m, space="ground"),
    )


def _format_density(density_per_m2: float) -> str:
    """About two significant digits, for example 0.84 or 2.0."""
    return f"{density_per_m2:.2f}" if density_per_m2 < 1 else f"{density_per_m2:.1f}"


def _text_layers(measurement: GroundMeasurement, scale: LevelOfServiceScale, unit: str) -> tuple[Layer, ...]:
    """The peak with its level, and the parameters of the camera; with a homography only the peak."""
    peak = measurement.peak_per_m2
    texts = [f"peak {peak:.3g} {unit} ({scale.classes[scale.class_index(peak)]})"]
    if isinstance(camera := measurement.projection, Camera):
        pitch = math.degrees(camera.pitch_rad)
        texts.append(f"camera {camera.height_m:.1f} m high, {pitch:.0f}° down, {camera.focal_length_px:.0f} px")
    return tuple(TextLayer(label=text) for text in texts)


def _map_in_image(
    scene: Scene, projection: GroundProjection, ground_map: DensityMap
) -> tuple[FloatArray, tuple[float, float, float, float]] | None:
    """Densities of cells over the image, `[rows, columns]`, and their outer corners in pixels of the scene.

    The cells cover the part of the image that shows occupied ground; None if that part is empty.
    """
    corners = np.concatenate([_project(scene, projection, hull) for hull in ground_map.hulls_m])
    height, width = scene.size
    left, top = np.clip(corners.min(axis=0), 0, [width, height]).tolist()
    right, bottom = np.clip(corners.max(axis=0), 0, [width, height]).tolist()
    extent = (left, top, right, bottom)
    cell_px = max(width, height) / IMAGE_CELLS
    rows, columns = math.ceil((bottom - top) / cell_px), math.ceil((right - left) / cell_px)
    if not rows * columns:
        return None
    offset = np.zeros(2) if scene.crop is None else np.array([scene.crop.left, scene.crop.top])
    positions_m = projection.ground_from_pixels(cell_centres(extent, (rows, columns)) + offset)
    return ground_map.density_per_m2(positions_m).reshape(rows, columns), extent


def _project(scene: Scene, projection: GroundProjection, points_m: Points) -> Points:
    """Pixels of ground positions in the scene, `[num_points, 2]`; NaN for ground that is not in front of the camera."""
    pixels = projection.pixels_from_ground(points_m)
    return pixels if scene.crop is None else scene.crop.project(pixels)


def _metric_grid(ground_m: Points) -> tuple[float, list[Points]]:
    """Spacing in metres of a grid over the visible ground, and its lines from edge to edge."""
    (left, near), (right, far) = ground_m.min(axis=0), ground_m.max(axis=0)
    min_spacing = max(right - left, far - near) / MAX_GRID_LINES
    spacing = next((item for item in GRID_SPACINGS_M if item >= min_spacing), GRID_SPACINGS_M[-1])
    across = spacing * np.arange(math.ceil(near / spacing), math.floor(far / spacing) + 1)
    along = spacing * np.arange(math.ceil(left / spacing), math.floor(right / spacing) + 1)
    lines = [np.array([[left, y], [right, y]]) for y in across[: 2 * MAX_GRID_LINES]]
    return spacing, lines + [np.array([[x, near], [x, far]]) for x in along[: 2 * MAX_GRID_LINES]]
