"""Scenery behind the crowd: buildings with windows, trees, lamps and a plinth, on the same ground as the people."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.synthetic.haze import Colour
from crowdgan_core.synthetic.render.canvas import (
    CANVAS_MODE,
    OVERSAMPLING_FACTOR,
    Canvas,
    upright_discs,
    upright_rectangles,
)
from crowdgan_core.synthetic.render.float_image import FloatImage, FloatMap, smooth_noise
from crowdgan_core.synthetic.world.world import World
from crowdgan_core.utils.arrays import FloatArray

WALL_COLOURS = (
    (186, 160, 130),
    (206, 196, 176),
    (158, 96, 76),
    (170, 172, 172),
    (128, 116, 106),
    (214, 206, 190),
    (150, 132, 116),
    (112, 118, 124),
)
"""Colours of walls, RGB: plaster, sandstone, brick, concrete; ours."""

SIGN_COLOURS = np.array(
    [(150, 40, 40), (40, 70, 120), (50, 96, 70), (30, 30, 34), (200, 160, 60), (222, 218, 210)], float
)
"""Colours of shop signs and awnings, RGB; ours."""

FLOOR_HEIGHT_M, WINDOW_SPACING_M, WINDOW_SIZE_M, SHOP_HEIGHT_M = 3.3, 2.4, (1.25, 1.8), 3.8
"""Height of a floor, distance between windows, their (breadth, height), height of the ground floor; metres; ours."""

MIN_FRAME_SCALE_PX_PER_M = 8
"""Minimum scale of a wall in pixels per metre for window frames."""

MAX_WINDOWS = 700
"""Maximum number of windows per building."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Wall:
    """A wall of a building over a segment of ground."""

    start_m: tuple[float, float]
    end_m: tuple[float, float]
    top_m: float
    """Height of the upper edge in metres."""

    colour: Colour
    glass: Colour
    """Mean colour of the windows."""


def draw_scenery(rng: np.random.Generator, image: FloatImage, world: World, haze: Colour) -> None:
    """Draws two rows of buildings and street furniture onto the image, the far row first, in place."""
    height, width = world.camera.size
    rows = min(height, math.ceil(float(world.camera.row_of_distance(world.far_m + 0.5))))
    if rows < 1:
        return
    layer = Image.new(CANVAS_MODE, (width * OVERSAMPLING_FACTOR, rows * OVERSAMPLING_FACTOR))
    canvas = Canvas(layer, world.camera, haze)
    front_m = world.far_m + (rng.uniform(22, 60) if world.distant_group else rng.uniform(4, 25))
    front_m = max(front_m, max((p.y_m + 4 for p in world.distant_group), default=0))
    _draw_building_row(rng, canvas, world, front_m + rng.uniform(25, 60), (14, 40))
    _draw_building_row(rng, canvas, world, front_m, (6, 20))
    _draw_street_furniture(rng, canvas, world, front_m)
    weathering = _weathering(rng, rows, width)
    red, green, blue, alpha = layer.reduce(OVERSAMPLING_FACTOR).split()
    transmission = 1 - np.asarray(alpha) * np.float32(1 / 255)
    for background, colour in zip(image[:, :rows], (red, green, blue), strict=True):
        background *= transmission
        background += np.asarray(colour) * weathering


def _weathering(rng: np.random.Generator, height: int, width: int) -> FloatMap:
    """Relative brightness of walls, `[height, width]`: smooth noise of a few percent around 1."""
    coarse, fine = (rng.random((cells, cells), np.float32) - np.float32(0.5) for cells in (6, 48))
    return smooth_noise(
        1 + np.float32(0.10) * smooth_noise(coarse, fine.shape) + np.float32(0.06) * fine, (height, width)
    )


def _draw_building_row(
    rng: np.random.Generator, canvas: Canvas, world: World, y_m: float, height_range_m: tuple[float, float]
) -> None:
    """Draws a row of buildings across the view, some with gaps between them."""
    depth_m = float(world.camera.depth(np.array([[0.0, y_m, 0.0]]))[0])
    half_m = depth_m * world.camera.centre_px[0] / world.camera.focal_length_px + 6
    x_m, buildings = -half_m - rng.uniform(0, 10), []
    while x_m < half_m:
        breadth = rng.uniform(8, 26)
        buildings.append((x_m, x_m + breadth, y_m + rng.uniform(0, 4)))
        x_m += breadth + (rng.uniform(2, 9) if rng.random() < 0.35 else 0.0)
    walls: list[Wall] = []
    for left, right, front in sorted(buildings, key=lambda item: -item[2]):
        top = min(rng.uniform(*height_range_m), canvas.max_height_m(front))
        walls += _building_walls(rng, (left, right), front, top, world.light.azimuth_rad)
    frame_limit_m = canvas.camera.focal_length_px / MIN_FRAME_SCALE_PX_PER_M
    panels = [_wall_panels(rng, wall, has_frames=wall.end_m[1] < frame_limit_m) for wall in walls]
    canvas.draw_polygons(
        np.concatenate([_panel_corners(wall, sides) for wall, (sides, _) in zip(walls, panels, strict=True)]),
        np.concatenate([colours for _, colours in panels]),
    )


def _building_walls(
    rng: np.random.Generator, x_m: tuple[float, float], y_m: float, top_m: float, shadow_azimuth: float
) -> Iterator[Wall]:
    """Visible walls of one building: its side, if it is visible, then its front."""
    colour = np.array(WALL_COLOURS[rng.integers(len(WALL_COLOURS))]) * rng.uniform(0.85, 1.05)
    glass = np.array([70, 82, 96]) * rng.uniform(0.7, 1.2)
    if x_m[0] > 0 or x_m[1] < 0:
        side_x = x_m[0] if x_m[0] > 0 else x_m[1]
        brightness = 0.8 + 0.2 * math.sin(shadow_azimuth) * (1 if x_m[0] > 0 else -1)
        start_m, end_m = (side_x, y_m + 14.0), (side_x, y_m)
        yield Wall(start_m=start_m, end_m=end_m, top_m=top_m, colour=colour * brightness, glass=glass)
    brightness = 0.82 + 0.18 * math.cos(shadow_azimuth)
    start_m, end_m = (x_m[0], y_m), (x_m[1], y_m)
    yield Wall(start_m=start_m, end_m=end_m, top_m=top_m, colour=colour * brightness, glass=glass)


def _wall_panels(rng: np.random.Generator, wall: Wall, *, has_frames: bool) -> tuple[FloatArray, FloatArray]:
    """Rectangles of a wall in drawing order: the wall, its cornice, and floors of windows above a floor of shops.

    Returns:
        `[num_panels, 4]` left, right, lower and upper edge in metres along and above the wall's foot, and
        `[num_panels, 3]` colours, RGB.
    """
    length, top = math.dist(wall.start_m, wall.end_m), wall.top_m
    along, floors = _window_grid(length, top)
    right, heads = along + WINDOW_SIZE_M[0], floors + WINDOW_SIZE_M[1]
    shops = np.arange(0.5, max(length - 3.2, 0.6), 4.0)
    shops_right = np.minimum(shops + 3.3, length - 0.2)
    signs = SIGN_COLOURS[rng.integers(len(SIGN_COLOURS), size=len(shops))]
    panels = [
        (_sides(2, 0.0, length, (0.0, top - 0.5), top), wall.colour * [[1.0], [1.12]]),
        (_sides(len(along), along, right, floors, heads), wall.glass * rng.uniform(0.7, 1.35, (len(along), 1))),
        (_sides(len(shops), shops, shops_right, 0.15, 2.7), wall.glass * rng.uniform(0.4, 0.9, (len(shops), 1))),
        (_sides(len(shops), shops, shops_right, 2.75, 3.35), signs),
    ]
    if has_frames:
        frames = _sides(len(along), along - 0.12, right + 0.12, floors - 0.14, heads + 0.12)
        panels.insert(1, (frames, np.broadcast_to(wall.colour * 1.1, (len(along), 3))))
    sides, colours = zip(*panels, strict=True)
    return np.concatenate(sides), np.concatenate(colours)


def _sides(count: int, *edges_m: npt.ArrayLike) -> FloatArray:
    """Left, right, lower and upper edges of rectangles, `[count, 4]`."""
    sides = np.empty((count, 4))
    for column, edge_m in enumerate(edges_m):
        sides[:, column] = edge_m
    return sides


def _panel_corners(wall: Wall, sides_m: FloatArray) -> FloatArray:
    """Corners of rectangles on a wall, `[num_rectangles, 4, 3]` metres."""
    start, end = np.array(wall.start_m), np.array(wall.end_m)
    along = sides_m[:, [0, 1, 1, 0], None] / math.dist(start, end)
    return np.concatenate([start + (end - start) * along, sides_m[:, [2, 2, 3, 3], None]], axis=2)


def _window_grid(length_m: float, top_m: float) -> tuple[FloatArray, FloatArray]:
    """Left edges along the wall and lower edges of all windows in metres, `[num_windows]` each."""
    first_m = (length_m % WINDOW_SPACING_M) / 2 + 0.5
    columns = np.arange(first_m, length_m - WINDOW_SIZE_M[0] - 0.3, WINDOW_SPACING_M)
    floors = np.arange(SHOP_HEIGHT_M + 0.8, top_m - WINDOW_SIZE_M[1] - 0.7, FLOOR_HEIGHT_M)
    return np.tile(columns, len(floors))[:MAX_WINDOWS], np.repeat(floors, len(columns))[:MAX_WINDOWS]


def _draw_street_furniture(rng: np.random.Generator, canvas: Canvas, world: World, front_m: float) -> None:
    """Draws the statue's plinth, and trees and lamps between the crowd and the buildings."""
    if world.statue:
        _draw_plinth(canvas, world.statue.x_m, world.statue.y_m)
    half_m = front_m * world.camera.centre_px[0] / world.camera.focal_length_px
    for _ in range(int(rng.integers(0, 6))):
        x_m, y_m = rng.uniform(-1, 1) * half_m, rng.uniform(max(world.far_m + 2, front_m - 8), front_m - 0.5)
        if rng.random() < 0.65:
            _draw_tree(rng, canvas, x_m, y_m)
        else:
            _draw_lamp(canvas, x_m, y_m)


def _draw_plinth(canvas: Canvas, x_m: float, y_m: float) -> None:
    """Draws two stone steps below a statue."""
    for half, height, brightness in ((1.1, 0.15, 0.8), (0.7, 0.35, 0.95)):
        x, y = np.array([[x_m - half, x_m + half]]), np.array([[y_m - 0.5 * half, y_m - 0.5 * half]])
        step = upright_rectangles(x, y, np.zeros(1), np.array([height]))
        canvas.draw_polygons(step, np.array([140, 138, 130]) * brightness)


def _draw_lamp(canvas: Canvas, x_m: float, y_m: float) -> None:
    top = min(5.5, canvas.max_height_m(y_m))
    canvas.draw_polygons(_pole(x_m, y_m, 0.06, top), np.array([58, 60, 62]))
    canvas.draw_polygons(upright_discs(np.array([[x_m, y_m, top]]), np.array([0.25])), np.array([226, 222, 206]))


def _draw_tree(rng: np.random.Generator, canvas: Canvas, x_m: float, y_m: float) -> None:
    """Draws a trunk and a crown of many small discs, brighter towards the top."""
    crown_m, radius = rng.uniform(3.2, 5.0), rng.uniform(1.3, 2.2)
    canvas.draw_polygons(_pole(x_m, y_m, 0.13, crown_m), np.array([76, 62, 50]))
    offsets = rng.normal(0, 0.45, (90, 3)).clip(-1.1, 1.1) * radius
    offsets = offsets[np.argsort(offsets[:, 2])]
    centres = np.array([x_m, y_m, crown_m]) + offsets * [1, 0, 1]
    brightness = np.interp(offsets[:, 2] / radius, [-1, 1], [0.55, 1.2]) * rng.uniform(0.85, 1.1, 90)
    green = np.array([70, 94, 52]) * rng.uniform(0.8, 1.15, 3)
    canvas.draw_polygons(upright_discs(centres, rng.uniform(0.16, 0.34, 90) * radius), green * brightness[:, None])


def _pole(x_m: float, y_m: float, half_breadth_m: float, height_m: float) -> FloatArray:
    """An upright pole as one rectangle, `[1, 4, 3]` metres."""
    x, y = np.array([[x_m - half_breadth_m, x_m + half_breadth_m]]), np.array([[y_m, y_m]])
    return upright_rectangles(x, y, np.zeros(1), np.array([height_m]))
