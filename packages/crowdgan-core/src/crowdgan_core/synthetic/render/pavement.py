"""The ground under the crowd: paving, asphalt or cobbles in correct perspective, and the shadows on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.render.canvas import FARTHEST_PX
from crowdgan_core.synthetic.render.sky import Colour, FloatImage, haze_share
from crowdgan_core.synthetic.world.world import Light, SyntheticPerson

Array32 = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Paving:
    """A kind of ground."""

    colours: tuple[tuple[int, int, int], ...]
    """Mean colours to choose from, RGB."""

    tile_m: tuple[float, float]
    """Length and breadth of a slab in metres; 0 without joints."""

    joint_m: float = 0.012
    """Breadth of the joints in metres."""

    variety: float = 0.05
    """Standard deviation of brightness between slabs."""

    grain: float = 0.07
    """Strength of spots and stains."""


PAVINGS = (
    Paving(colours=((158, 152, 142), (140, 138, 136), (176, 166, 150)), tile_m=(0.8, 0.8), joint_m=0.02),
    Paving(colours=((150, 142, 134), (128, 124, 122)), tile_m=(0.6, 0.3)),
    Paving(colours=((122, 112, 104), (112, 110, 112)), tile_m=(0.2, 0.2), joint_m=0.03, variety=0.09),
    Paving(colours=((96, 98, 102), (112, 112, 112), (84, 86, 90)), tile_m=(0.0, 0.0), grain=0.1),
    Paving(colours=((164, 152, 132), (150, 146, 138)), tile_m=(2.5, 2.5), joint_m=0.03, variety=0.03, grain=0.09),
)
"""Slabs, bricks, cobbles, asphalt, concrete fields; ours."""

NOISE_SIDE = 256
"""Side of the repeated noise tile in samples."""

SHADOW_DARK, CONTACT_DARK = 0.50, 0.42
"""Share of light lost in the sun's shadow and right under the feet; ours."""


def draw_ground(rng: np.random.Generator, image: FloatImage, camera: Camera, haze: Colour) -> None:
    """Draws the ground onto all rows of the image that lie below the horizon."""
    height, width = camera.size
    top = max(0, int(np.ceil(camera.horizon_row + 0.5)))
    if top >= height:
        return
    paving = PAVINGS[rng.integers(len(PAVINGS))]
    rows = np.arange(top, height) + 0.5
    centre = camera.ground_from_pixels(np.stack([np.full(len(rows), camera.centre_px[0] + 1), rows], axis=1))
    distance, across_m = centre[:, 1].astype(np.float32), centre[:, 0].astype(np.float32)
    x_m = (np.arange(width, dtype=np.float32) + np.float32(0.5 - camera.centre_px[0])) * across_m[:, None]
    y_m = distance[:, None]
    along_m = np.abs(np.gradient(distance))[:, None] if len(rows) > 1 else np.ones((1, 1), np.float32)
    bright = _brightness(rng, paving, x_m, y_m, np.maximum(along_m, across_m[:, None]))
    colour = np.array(paving.colours[rng.integers(len(paving.colours))], np.float32)
    share = haze_share(distance).astype(np.float32)[:, None, None]
    image[top:] = bright[..., None] * colour * (1 - share) + haze.astype(np.float32) * share


def _brightness(rng: np.random.Generator, paving: Paving, x_m: Array32, y_m: Array32, footprint_m: Array32) -> Array32:
    """Brightness of the ground per pixel, about 1; what is finer than a pixel's footprint fades to its mean.

    Args:
        rng: generator.
        paving: kind of ground.
        x_m: `[rows, width]` ground coordinates.
        y_m: `[rows, 1]`.
        footprint_m: `[rows, 1]` length of ground that a pixel shows.
    """
    turn = rng.choice([0.0, 0.0, rng.uniform(0.1, 1.4)])
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = x_m * cos + y_m * sin, y_m * cos - x_m * sin
    noise = _noise_tile(rng)
    bright = np.ones_like(x_m)
    for sample_m, strength in ((0.012, 0.8), (0.11, 0.6), (0.9, 0.35)):
        weight = np.float32(paving.grain * strength) * (3 * np.float32(sample_m) / footprint_m).clip(0, 1)
        near = int(np.argmax(weight[:, 0] > 0.004))  # rows from there on show this grain
        bright[near:] += weight[near:] * _sampled(noise, along[near:], across[near:], sample_m)
    if paving.tile_m[0]:
        _add_joints(bright, noise, paving, along, across, footprint_m)
    return bright


def _noise_tile(rng: np.random.Generator) -> Array32:
    """Soft noise that repeats without a seam, `[NOISE_SIDE, NOISE_SIDE]`, mean 0, standard deviation 1."""
    white = np.fft.rfft2(rng.standard_normal((NOISE_SIDE, NOISE_SIDE)))
    frequency = np.hypot(np.fft.fftfreq(NOISE_SIDE)[:, None], np.fft.rfftfreq(NOISE_SIDE))
    tile = np.fft.irfft2(white / (0.02 + frequency) ** 0.8)
    return np.asarray((tile - tile.mean()) / tile.std(), np.float32)


def _sampled(noise: Array32, along: Array32, across: Array32, sample_m: float) -> Array32:
    """The noise tile laid on the ground with samples of this side in metres."""
    i = (across * np.float32(1 / sample_m)).astype(np.int32) & (NOISE_SIDE - 1)
    j = (along * np.float32(1 / sample_m)).astype(np.int32) & (NOISE_SIDE - 1)
    return noise.ravel()[i * NOISE_SIDE + j]


def _add_joints(
    bright: Array32, noise: Array32, paving: Paving, along: Array32, across: Array32, footprint_m: Array32
) -> None:
    """Darkens the joints between slabs and gives each slab its own brightness, both where a pixel can show them."""
    length, breadth = paving.tile_m
    seen = (np.float32(0.5 * min(length, breadth)) / footprint_m).clip(0, 1)
    near = int(np.argmax(seen[:, 0] > 0.05))
    seen, along, across, footprint = seen[near:], along[near:], across[near:], footprint_m[near:]
    row = np.floor(across / np.float32(breadth))
    shifted = along / np.float32(length) + (row % 2) * np.float32(0.5)
    column = np.floor(shifted)
    to_joint = np.minimum(
        _to_whole(shifted) * np.float32(length), _to_whole(across / np.float32(breadth)) * np.float32(breadth)
    )
    half = np.float32(paving.joint_m / 2)
    cover = ((half + footprint / 2 - to_joint) / footprint).clip(0, 1) * np.minimum(1, 2 * half / footprint)
    slab = ((row.astype(np.int32) * 71 + column.astype(np.int32) * 113) * 37) & (NOISE_SIDE * NOISE_SIDE - 1)
    bright[near:] += seen * (np.float32(paving.variety) * noise.ravel()[slab] - np.float32(0.38) * cover)


def _to_whole(values: Array32) -> Array32:
    """Distance to the nearest whole number."""
    return np.abs(values - np.round(values))


def draw_shadows(image: FloatImage, camera: Camera, people: tuple[SyntheticPerson, ...], light: Light) -> None:
    """Darkens the ground where people keep off the sun, and softly round their feet."""
    height, width = camera.size
    layer = Image.new("L", (width, height))
    draw = ImageDraw.Draw(layer)
    cast = _shadow_outlines(people, light)
    if light.strength > 0:
        _fill(draw, camera, cast, int(255 * light.strength * SHADOW_DARK))
        layer = layer.filter(ImageFilter.GaussianBlur(max(width, height) / 640 * 0.8))
    contact = Image.new("L", (width, height))
    _fill(ImageDraw.Draw(contact), camera, _contact_outlines(people), int(255 * CONTACT_DARK))
    contact = contact.filter(ImageFilter.BoxBlur(max(width, height) / 640 * 2.5))
    lost = (np.asarray(layer, np.float32) / 255, np.asarray(contact, np.float32) / 255)
    image *= ((1 - lost[0]) * (1 - lost[1]))[..., None]


def _fill(draw: ImageDraw.ImageDraw, camera: Camera, outlines_m: npt.NDArray[np.float64], ink: int) -> None:
    """Fills those polygons on the ground that are wholly before the camera, `[num_polygons, num_corners, 2]` metres."""
    count, corners, _ = outlines_m.shape
    points = np.concatenate([outlines_m.reshape(-1, 2), np.zeros((count * corners, 1))], axis=1)
    pixels = camera.project(points).reshape(count, corners, 2) - 0.5
    pixels = pixels[np.isfinite(pixels).all(axis=(1, 2)) & (np.abs(pixels) < FARTHEST_PX).all(axis=(1, 2))]
    for outline in pixels.reshape(-1, 2 * corners).tolist():
        draw.polygon(outline, ink)


def _shadow_outlines(people: tuple[SyntheticPerson, ...], light: Light) -> npt.NDArray[np.float64]:
    """Shadows of bodies on flat ground, as wide as hips, shoulders and a head, `[num_people, 12, 2]` metres."""
    positions = np.array([(p.x_m, p.y_m) for p in people]).reshape(-1, 1, 2)
    lengths = np.array([p.height_m for p in people]).reshape(-1, 1) / np.tan(light.elevation_rad)
    along = np.array([-0.02, 0.1, 0.45, 0.78, 0.84, 1.0])
    half_m = np.array([0.10, 0.13, 0.17, 0.21, 0.09, 0.06])
    direction = np.array([np.sin(light.azimuth_rad), np.cos(light.azimuth_rad)])
    normal = np.array([direction[1], -direction[0]])
    spine = positions + (lengths * along)[..., None] * direction
    sides = half_m[:, None] * normal
    return np.concatenate([spine + sides, (spine - sides)[:, ::-1]], axis=1)


def _contact_outlines(people: tuple[SyntheticPerson, ...]) -> npt.NDArray[np.float64]:
    """Discs of ground round the feet, `[num_people, 12, 2]` metres."""
    positions = np.array([(p.x_m, p.y_m) for p in people]).reshape(-1, 1, 2)
    turns = 2 * np.pi * np.arange(12) / 12
    return np.asarray(positions + 0.24 * np.stack([np.cos(turns), np.sin(turns)], axis=1))
