"""What `ground` and `voronoi` offer to be drawn: the ground from above in metres, and the same over the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.layers import Layer, LineLayer, PointLayer, PolygonLayer
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Points
from crowdgan_density.ground_plane.groups import convex_hull
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.view import View, visible_ground

LINES = 12
"""Most lines of the grid on the ground in one direction."""

SPACINGS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Distances between its lines."""

Values = npt.NDArray[np.float64]


def occupied_ground(scene: Scene, found: GroundMeasurement, density_per_m2: float, unit: str) -> tuple[Layer, ...]:
    """The hulls of the groups of people, filled by the scene's density, with what surrounds them."""
    hulls = [hull for group in found.groups_m if (hull := convex_hull(group)) is not None]
    values = np.full(len(hulls), density_per_m2)
    return _with_surroundings(scene, found, hulls, values, "ground that people occupy", unit)


def occupied_cells(
    scene: Scene, found: GroundMeasurement, cells_m: Sequence[Points], values: Values, unit: str
) -> tuple[Layer, ...]:
    """The cells of people inside the crowd, filled by their local densities, with what surrounds them."""
    return _with_surroundings(scene, found, cells_m, values, "cells of people inside the crowd", unit)


def _with_surroundings(
    scene: Scene, found: GroundMeasurement, polygons_m: Sequence[Points], values: Values, label: str, unit: str
) -> tuple[Layer, ...]:
    seen = [_pixels(scene, found.view, polygon) for polygon in polygons_m]
    is_seen = [bool(np.isfinite(polygon).all()) for polygon in seen]
    in_image = [polygon for polygon, shown in zip(seen, is_seen, strict=True) if shown]
    ground = visible_ground(found.frame, found.view, found.positions_m)
    spacing_m, lines_m = _grid(ground)
    grid_px = [line for item in lines_m if np.isfinite(line := _pixels(scene, found.view, item)).all()]
    return (
        PolygonLayer(label=label, unit=unit, polygons=in_image, values=values[is_seen]),
        LineLayer(label=f"{spacing_m:g} m on the ground{_camera(found.view)}", lines=grid_px),
        PolygonLayer(label=label, unit=unit, space="ground", polygons=polygons_m, values=values),
        PolygonLayer(label="ground that the image shows", space="ground", polygons=[ground]),
        PointLayer(label="people", space="ground", points=found.positions_m),
    )


def _pixels(scene: Scene, view: View, points_m: Points) -> Points:
    """Where the scene shows ground, `[num_points, 2]` pixels; NaN where the camera does not see it."""
    pixels = view.pixels_from_ground(points_m)
    return pixels if scene.crop is None else scene.crop.project(pixels)


def _grid(ground_m: Points) -> tuple[float, list[Points]]:
    """Distance in metres of the lines of a grid over the ground shown, and the lines, each from border to border."""
    (left, near), (right, far) = ground_m.min(axis=0), ground_m.max(axis=0)
    wanted = max(right - left, far - near) / LINES
    spacing = next((item for item in SPACINGS_M if item >= wanted), SPACINGS_M[-1])
    across = spacing * np.arange(math.ceil(near / spacing), math.floor(far / spacing) + 1)
    along = spacing * np.arange(math.ceil(left / spacing), math.floor(right / spacing) + 1)
    lines = [np.array([[left, y], [right, y]]) for y in across[: 2 * LINES]]
    return spacing, lines + [np.array([[x, near], [x, far]]) for x in along[: 2 * LINES]]


def _camera(view: View) -> str:
    """What is known of the camera, for a label."""
    if not isinstance(view, Camera):
        return ""
    pitch = math.degrees(view.pitch_rad)
    return f"; camera {view.height_m:.1f} m high, {pitch:.0f}° down, {view.focal_length_px:.0f} px"
