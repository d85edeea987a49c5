"""Scenery behind the crowd: buildings with windows, trees, lamps and a plinth, on the same ground as the people."""

from __future__ import annotations

import math

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
from crowdgan_core.synthetic.render.sky import FloatImage
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

SIGN_COLOURS = ((150, 40, 40), (40, 70, 120), (50, 96, 70), (30, 30, 34), (200, 160, 60), (222, 218, 210))
"""Colours of shop signs and awnings, RGB; ours."""

FLOOR_HEIGHT_M, WINDOW_SPACING_M, WINDOW_SIZE_M, SHOP_HEIGHT_M = 3.3, 2.4, (1.25, 1.8), 3.8
"""Height of a floor, distance between windows, their (breadth, height), height of the ground floor; metres; ours."""

MIN_FRAME_SCALE_PX_PER_M = 8
"""Minimum scale of a wall in pixels per metre for window frames."""

MAX_WINDOWS = 700
"""Maximum number of windows per building."""


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
    pixels = np.asarray(layer.reduce(OVERSAMPLING_FACTOR), np.float32)
    image[:rows] *= 1 - pixels[..., 3:] / 255
    image[:rows] += pixels[..., :3] * _weathering(rng, rows, width)[..., None]


def _weathering(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.float32]:
    """Relative brightness of walls, `[height, width]`: smooth noise of a few percent around 1."""
    total = np.ones((height, width), np.float32)
    for cells, strength in ((6, 0.10), (48, 0.06)):
        noise = rng.random((cells, cells), np.float32) - np.float32(0.5)
        total += strength * np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
    return total


def _draw_building_row(
    rng: np.random.Generator, canvas: Canvas, world: World, y_m: float, height_range_m: tuple[float, float]
) -> None:
    """Draws a row of buildings across the view, some with gaps between them."""
    half_m = 1.3 * y_m * world.camera.centre_px[0] / world.camera.focal_length_px + 6
    x_m, buildings = -half_m - rng.uniform(0, 10), []
    while x_m < half_m:
        breadth = rng.uniform(8, 26)
        buildings.append((x_m, x_m + breadth, y_m + rng.uniform(0, 4)))
        x_m += breadth + (rng.uniform(2, 9) if rng.random() < 0.35 else 0.0)
    for left, right, front in sorted(buildings, key=lambda item: -item[2]):
        top = min(rng.uniform(*height_range_m), canvas.max_height_m(front))
        _draw_building(rng, canvas, (left, right), front, top, world.light.azimuth_rad)


def _draw_building(
    rng: np.random.Generator, canvas: Canvas, x_m: tuple[float, float], y_m: float, top_m: float, shadow_azimuth: float
) -> None:
    """Draws one building: its visible side, then its front."""
    wall = np.array(WALL_COLOURS[rng.integers(len(WALL_COLOURS))]) * rng.uniform(0.85, 1.05)
    front_brightness = 0.82 + 0.18 * math.cos(shadow_azimuth)
    glass = np.array([70, 82, 96]) * rng.uniform(0.7, 1.2)
    if x_m[0] > 0 or x_m[1] < 0:
        side_x = x_m[0] if x_m[0] > 0 else x_m[1]
        side_brightness = 0.8 + 0.2 * math.sin(shadow_azimuth) * (1 if x_m[0] > 0 else -1)
        _draw_wall(rng, canvas, ((side_x, y_m + 14.0), (side_x, y_m)), top_m, wall * side_brightness, glass)
    _draw_wall(rng, canvas, ((x_m[0], y_m), (x_m[1], y_m)), top_m, wall * front_brightness, glass)


def _draw_wall(
    rng: np.random.Generator,
    canvas: Canvas,
    ends_m: tuple[tuple[float, float], tuple[float, float]],
    top_m: float,
    wall: Colour,
    glass: Colour,
) -> None:
    """Draws a wall between two ground points, with floors of windows above a floor of shops."""
    start, end = np.array(ends_m)
    length = float(np.linalg.norm(end - start))

    def rectangles(along: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        ground = start + (end - start) * (along / length)[..., None]
        return upright_rectangles(ground[..., 0], ground[..., 1], low, high)

    full_span = np.array([[0.0, length]])
    canvas.draw_polygons(rectangles(full_span, np.zeros(1), np.array([top_m])), wall)
    canvas.draw_polygons(rectangles(full_span, np.array([top_m - 0.5]), np.array([top_m])), wall * 1.12)
    along, floors = _window_grid(length, top_m)
    if len(along):
        spans = np.stack([along, along + WINDOW_SIZE_M[0]], axis=1)
        tints = glass * rng.uniform(0.7, 1.35, (len(along), 1))
        if canvas.camera.focal_length_px / start[1] > MIN_FRAME_SCALE_PX_PER_M:
            frame_spans = spans + np.array([-0.12, 0.12])
            frames = rectangles(frame_spans, floors - 0.14, floors + WINDOW_SIZE_M[1] + 0.12)
            canvas.draw_polygons(frames, wall * 1.1)
        canvas.draw_polygons(rectangles(spans, floors, floors + WINDOW_SIZE_M[1]), tints)
    shops = np.arange(0.5, max(length - 3.2, 0.6), 4.0)
    spans = np.stack([shops, np.minimum(shops + 3.3, length - 0.2)], axis=1)
    count = len(shops)
    shop_windows = rectangles(spans, np.full(count, 0.15), np.full(count, 2.7))
    canvas.draw_polygons(shop_windows, glass * rng.uniform(0.4, 0.9, (count, 1)))
    signs = np.array(SIGN_COLOURS, float)[rng.integers(len(SIGN_COLOURS), size=count)]
    canvas.draw_polygons(rectangles(spans, np.full(count, 2.75), np.full(count, 3.35)), signs)


def _window_grid(length_m: float, top_m: float) -> tuple[FloatArray, FloatArray]:
    """Left edges along the wall and lower edges of all windows in metres, `[num_windows]` each."""
    first_m = (length_m % WINDOW_SPACING_M) / 2 + 0.5
    columns = np.arange(first_m, length_m - WINDOW_SIZE_M[0] - 0.3, WINDOW_SPACING_M)
    floors = np.arange(SHOP_HEIGHT_M + 0.8, top_m - WINDOW_SIZE_M[1] - 0.7, FLOOR_HEIGHT_M)
    along, up = np.meshgrid(columns, floors)
    return along.ravel()[:MAX_WINDOWS], up.ravel()[:MAX_WINDOWS]


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
