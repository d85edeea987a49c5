"""What stands behind the crowd: buildings with windows, trees and lamps, on the same ground as the people."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.synthetic.render.canvas import OVERSAMPLING, PREMULTIPLIED, Array, Canvas, disc_quads, facade_quads
from crowdgan_core.synthetic.render.sky import Colour, FloatImage
from crowdgan_core.synthetic.world.world import World

WALLS = (
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

SIGNS = ((150, 40, 40), (40, 70, 120), (50, 96, 70), (30, 30, 34), (200, 160, 60), (222, 218, 210))
"""Colours of shop signs and awnings, RGB; ours."""

FLOOR_M, WINDOW_STEP_M, WINDOW_M, SHOP_M = 3.3, 2.4, (1.25, 1.8), 3.8
"""Height of a floor, distance of windows, their (breadth, height), height of the ground floor, in metres; ours."""

FRAMES_PX_PER_M = 8
"""Windows get frames on walls that are seen at a larger scale than this."""

MAX_WINDOWS = 700
"""Windows drawn per building at most."""


def draw_buildings(rng: np.random.Generator, image: FloatImage, world: World, haze: Colour) -> None:
    """Draws two rows of buildings and what stands before them onto the image, the far row first."""
    height, width = world.camera.size
    rows = min(height, math.ceil(float(world.camera.row_of_distance(world.far_m + 0.5))))
    if rows < 1:
        return
    layer = Image.new(PREMULTIPLIED, (width * OVERSAMPLING, rows * OVERSAMPLING))
    canvas = Canvas(layer, world.camera, haze)
    front_m = world.far_m + (rng.uniform(22, 60) if world.distant else rng.uniform(4, 25))
    front_m = max(front_m, max((p.y_m + 4 for p in world.distant), default=0))
    _row(rng, canvas, world, front_m + rng.uniform(25, 60), (14, 40))
    _row(rng, canvas, world, front_m, (6, 20))
    _street_furniture(rng, canvas, world, front_m)
    over = np.asarray(layer.reduce(OVERSAMPLING), np.float32)
    image[:rows] *= 1 - over[..., 3:] / 255
    image[:rows] += over[..., :3] * _weathering(rng, rows, width)[..., None]


def _weathering(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.float32]:
    """Brightness of walls, `[height, width]`, a few percent round 1: light and dirt are nowhere even."""
    total = np.ones((height, width), np.float32)
    for cells, strength in ((6, 0.10), (48, 0.06)):
        noise = rng.random((cells, cells), np.float32) - np.float32(0.5)
        total += strength * np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
    return total


def _row(rng: np.random.Generator, canvas: Canvas, world: World, y_m: float, heights_m: tuple[float, float]) -> None:
    """A row of buildings across the view, some with gaps between them."""
    half_m = 1.3 * y_m * world.camera.centre_px[0] / world.camera.focal_length_px + 6
    x_m, buildings = -half_m - rng.uniform(0, 10), []
    while x_m < half_m:
        breadth = rng.uniform(8, 26)
        buildings.append((x_m, x_m + breadth, y_m + rng.uniform(0, 4)))
        x_m += breadth + (rng.uniform(2, 9) if rng.random() < 0.35 else 0.0)
    for left, right, front in sorted(buildings, key=lambda item: -item[2]):
        top = min(rng.uniform(*heights_m), canvas.highest_m(front))
        _building(rng, canvas, (left, right), front, top, world.light.azimuth_rad)


def _building(
    rng: np.random.Generator, canvas: Canvas, x_m: tuple[float, float], y_m: float, top_m: float, shadow_azimuth: float
) -> None:
    """One building: the side that can be seen, then the front with its windows and shops."""
    wall = np.array(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.85, 1.05)
    lit_front = 0.82 + 0.18 * math.cos(shadow_azimuth)
    glass = np.array([70, 82, 96]) * rng.uniform(0.7, 1.2)
    if x_m[0] > 0 or x_m[1] < 0:
        side_x = x_m[0] if x_m[0] > 0 else x_m[1]
        lit_side = 0.8 + 0.2 * math.sin(shadow_azimuth) * (1 if x_m[0] > 0 else -1)
        _face(rng, canvas, ((side_x, y_m + 14.0), (side_x, y_m)), top_m, wall * lit_side, glass)
    _face(rng, canvas, ((x_m[0], y_m), (x_m[1], y_m)), top_m, wall * lit_front, glass)


def _face(
    rng: np.random.Generator,
    canvas: Canvas,
    ends_m: tuple[tuple[float, float], tuple[float, float]],
    top_m: float,
    wall: Colour,
    glass: Colour,
) -> None:
    """A wall over the ground from one end to the other, with floors of windows over a floor of shops."""
    start, end = np.array(ends_m)
    length = float(np.linalg.norm(end - start))

    def rectangles(along: Colour, low: Colour, high: Colour) -> Array:
        ground = start + (end - start) * (along / length)[..., None]
        return facade_quads(ground[..., 0], ground[..., 1], low, high)

    whole = np.array([[0.0, length]])
    canvas.quads(rectangles(whole, np.zeros(1), np.array([top_m])), wall)
    canvas.quads(rectangles(whole, np.array([top_m - 0.5]), np.array([top_m])), wall * 1.12)
    along, floors = _window_grid(length, top_m)
    if len(along):
        spans = np.stack([along, along + WINDOW_M[0]], axis=1)
        tints = glass * rng.uniform(0.7, 1.35, (len(along), 1))
        if canvas.camera.focal_length_px / start[1] > FRAMES_PX_PER_M:
            framed = rectangles(spans + np.array([-0.12, 0.12]), floors - 0.14, floors + WINDOW_M[1] + 0.12)
            canvas.quads(framed, wall * 1.1)
        canvas.quads(rectangles(spans, floors, floors + WINDOW_M[1]), tints)
    shops = np.arange(0.5, max(length - 3.2, 0.6), 4.0)
    spans = np.stack([shops, np.minimum(shops + 3.3, length - 0.2)], axis=1)
    count = len(shops)
    canvas.quads(
        rectangles(spans, np.full(count, 0.15), np.full(count, 2.7)), glass * rng.uniform(0.4, 0.9, (count, 1))
    )
    signs = np.array(SIGNS, float)[rng.integers(len(SIGNS), size=count)]
    canvas.quads(rectangles(spans, np.full(count, 2.75), np.full(count, 3.35)), signs)


def _window_grid(length_m: float, top_m: float) -> tuple[Colour, Colour]:
    """Left edges along the wall and lower edges of all windows in metres, `[num_windows]` each."""
    columns = np.arange((length_m % WINDOW_STEP_M) / 2 + 0.5, length_m - WINDOW_M[0] - 0.3, WINDOW_STEP_M)
    floors = np.arange(SHOP_M + 0.8, top_m - WINDOW_M[1] - 0.7, FLOOR_M)
    along, up = np.meshgrid(columns, floors)
    return along.ravel()[:MAX_WINDOWS], up.ravel()[:MAX_WINDOWS]


def _street_furniture(rng: np.random.Generator, canvas: Canvas, world: World, front_m: float) -> None:
    """Trees and lamps between the crowd and the buildings."""
    if world.statue:
        _plinth(canvas, world.statue.x_m, world.statue.y_m)
    half_m = front_m * world.camera.centre_px[0] / world.camera.focal_length_px
    for _ in range(int(rng.integers(0, 6))):
        x_m, y_m = rng.uniform(-1, 1) * half_m, rng.uniform(max(world.far_m + 2, front_m - 8), front_m - 0.5)
        if rng.random() < 0.65:
            _tree(rng, canvas, x_m, y_m)
        else:
            _lamp(canvas, x_m, y_m)


def _plinth(canvas: Canvas, x_m: float, y_m: float) -> None:
    """Two steps of stone under a statue."""
    for half, high, bright in ((1.1, 0.15, 0.8), (0.7, 0.35, 0.95)):
        x, y = np.array([[x_m - half, x_m + half]]), np.array([[y_m - 0.5 * half, y_m - 0.5 * half]])
        canvas.quads(facade_quads(x, y, np.zeros(1), np.array([high])), np.array([140, 138, 130]) * bright)


def _lamp(canvas: Canvas, x_m: float, y_m: float) -> None:
    top = min(5.5, canvas.highest_m(y_m))
    pole = facade_quads(np.array([[x_m - 0.06, x_m + 0.06]]), np.array([[y_m, y_m]]), np.zeros(1), np.array([top]))
    canvas.quads(pole, np.array([58, 60, 62]))
    canvas.quads(disc_quads(np.array([[x_m, y_m, top]]), np.array([0.25])), np.array([226, 222, 206]))


def _tree(rng: np.random.Generator, canvas: Canvas, x_m: float, y_m: float) -> None:
    """A trunk under a crown of many small discs, lighter towards the top."""
    crown_m, radius = rng.uniform(3.2, 5.0), rng.uniform(1.3, 2.2)
    trunk = facade_quads(np.array([[x_m - 0.13, x_m + 0.13]]), np.array([[y_m, y_m]]), np.zeros(1), np.array([crown_m]))
    canvas.quads(trunk, np.array([76, 62, 50]))
    offsets = rng.normal(0, 0.45, (90, 3)).clip(-1.1, 1.1) * radius
    offsets = offsets[np.argsort(offsets[:, 2])]
    centres = np.array([x_m, y_m, crown_m]) + offsets * [1, 0, 1]
    bright = np.interp(offsets[:, 2] / radius, [-1, 1], [0.55, 1.2]) * rng.uniform(0.85, 1.1, 90)
    green = np.array([70, 94, 52]) * rng.uniform(0.8, 1.15, 3)
    canvas.quads(disc_quads(centres, rng.uniform(0.16, 0.34, 90) * radius), green * bright[:, None])
