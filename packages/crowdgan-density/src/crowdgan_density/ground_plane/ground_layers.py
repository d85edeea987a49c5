"""Overlay layers of `ground` and `voronoi`: occupied ground or cells, in the image and from above in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crowdgan_core.density.layers import Layer, LineLayer, PointLayer, PolygonLayer
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_density.ground_plane.groups import convex_hull
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.view import GroundProjection, visible_ground

MAX_GRID_LINES = 12
"""Maximum number of lines of the metric grid across the larger side of the ground."""

GRID_SPACINGS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Distances between lines of the grid in metres."""


def occupied_ground_layers(
    scene: Scene, measurement: GroundMeasurement, density_per_m2: float, unit: str
) -> tuple[Layer, ...]:
    """The hulls of the groups, filled by the scene's density, with grid, visible ground and people."""
    hulls = [hull for group in measurement.groups_m if (hull := convex_hull(group)) is not None]
    values = np.full(len(hulls), density_per_m2)
    return _layers(scene, measurement, hulls, values, "occupied ground", unit)


def voronoi_cell_layers(
    scene: Scene, measurement: GroundMeasurement, cells_m: Sequence[Points], values: FloatArray, unit: str
) -> tuple[Layer, ...]:
    """The Voronoi cells inside the groups, filled by their local densities, with grid, visible ground and people."""
    return _layers(scene, measurement, cells_m, values, "Voronoi cells inside groups", unit)


def _layers(
    scene: Scene,
    measurement: GroundMeasurement,
    polygons_m: Sequence[Points],
    values: FloatArray,
    label: str,
    unit: str,
) -> tuple[Layer, ...]:
    projection = measurement.projection
    polygons_px = [_project(scene, projection, polygon) for polygon in polygons_m]
    is_visible = [bool(np.isfinite(polygon).all()) for polygon in polygons_px]
    in_image = [polygon for polygon, visible in zip(polygons_px, is_visible, strict=True) if visible]
    ground = visible_ground(measurement.view, projection, measurement.positions_m)
    spacing_m, lines_m = _metric_grid(ground)
    lines_px = [line for item in lines_m if np.isfinite(line := _project(scene, projection, item)).all()]
    return (
        PolygonLayer(label=label, unit=unit, polygons=in_image, values=values[is_visible]),
        LineLayer(label=f"{spacing_m:g} m on the ground{_describe_camera(projection)}", lines=lines_px),
        PolygonLayer(label=label, unit=unit, space="ground", polygons=polygons_m, values=values),
        PolygonLayer(label="visible ground", space="ground", polygons=[ground]),
        PointLayer(label="people", space="ground", points=measurement.positions_m),
    )


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


def _describe_camera(projection: GroundProjection) -> str:
    """Camera parameters as text for a label; empty for a homography."""
    if not isinstance(projection, Camera):
        return ""
    pitch = math.degrees(projection.pitch_rad)
    return f"; camera {projection.height_m:.1f} m high, {pitch:.0f}° down, {projection.focal_length_px:.0f} px"
