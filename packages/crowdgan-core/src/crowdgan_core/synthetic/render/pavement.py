"""Ground texture (slabs, bricks, cobbles, asphalt) in perspective, and shadows on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.haze import Colour, haze_fraction
from crowdgan_core.synthetic.render.canvas import MAX_COORDINATE_PX
from crowdgan_core.synthetic.render.float_image import FloatImage, FloatMap, row_blocks
from crowdgan_core.synthetic.world.world import Light, SyntheticPerson
from crowdgan_core.utils.arrays import FloatArray


@dataclass(frozen=True, kw_only=True)
class Pavement:
    """Type of ground."""

    colours: tuple[tuple[int, int, int], ...]
    """Mean colours to draw from, RGB."""

    slab_m: tuple[float, float]
    """Length and breadth of a slab in metres; 0 for ground without joints."""

    joint_m: float = 0.012
    """Breadth of the joints in metres."""

    slab_deviation: float = 0.05
    """Standard deviation of relative brightness between slabs."""

    grain: float = 0.07
    """Strength of spots and stains, relative to the brightness."""


PAVEMENTS = (
    Pavement(colours=((158, 152, 142), (140, 138, 136), (176, 166, 150)), slab_m=(0.8, 0.8), joint_m=0.02),
    Pavement(colours=((150, 142, 134), (128, 124, 122)), slab_m=(0.6, 0.3)),
    Pavement(colours=((122, 112, 104), (112, 110, 112)), slab_m=(0.2, 0.2), joint_m=0.03, slab_deviation=0.09),
    Pavement(colours=((96, 98, 102), (112, 112, 112), (84, 86, 90)), slab_m=(0.0, 0.0), grain=0.1),
    Pavement(
        colours=((164, 152, 132), (150, 146, 138)), slab_m=(2.5, 2.5), joint_m=0.03, slab_deviation=0.03, grain=0.09
    ),
)
"""Slabs, bricks, cobbles, asphalt, concrete; ours."""

NOISE_SIDE_SAMPLES = 256
"""Side of the periodic noise tile in samples; a power of two."""

GRAINS = ((0.016, 0.9), (0.3, 0.55))
"""(side of a sample of noise in metres, relative strength) of fine spots and of stains; ours."""

MIN_GRAIN = 0.004
"""Strength of grain, relative to the brightness, below which it is not drawn; ours."""

CAST_SHADOW_FRACTION, CONTACT_SHADOW_FRACTION = 0.50, 0.42
"""Fraction of light lost in the sun's shadow, and directly below the feet; ours."""

SHADOW_STEP = 2
"""Pixels of the image per pixel of the shadows, which are soft; ours."""


def render_ground(rng: np.random.Generator, image: FloatImage, camera: Camera, haze: Colour) -> None:
    """Draws the ground onto all rows of the image below the horizon, in place."""
    height, width = camera.size
    top = max(0, int(np.ceil(camera.horizon_row + 0.5)))
    if top >= height:
        return
    pavement = PAVEMENTS[rng.integers(len(PAVEMENTS))]
    colour = pavement.colours[rng.integers(len(pavement.colours))]
    rotation, shift_m = rng.choice([0.0, 0.0, rng.uniform(0.1, 1.4)]), rng.uniform(150, 250, 2).astype(np.float32)
    rows = np.arange(top, height) + 0.5
    centre = camera.ground_from_pixels(np.stack([np.full(len(rows), camera.centre_px[0] + 1), rows], axis=1))
    distance, across_m = centre[:, 1].astype(np.float32), centre[:, 0].astype(np.float32)
    along_m = np.abs(np.gradient(distance)) if len(rows) > 1 else np.ones(1, np.float32)
    footprint_m = np.maximum(along_m, across_m)[:, None]
    columns = np.arange(width, dtype=np.float32) + np.float32(0.5 - camera.centre_px[0])
    fraction = haze_fraction(distance).astype(np.float32)[:, None]
    for block in row_blocks(len(rows)):
        x_m, y_m = columns * across_m[block, None], distance[block, None]
        along, across = _rotate(x_m + shift_m[0], y_m + shift_m[1], rotation)
        brightness = _brightness(pavement, along, across, footprint_m[block])
        for channel in range(3):
            target = image[channel, top:][block]
            np.multiply(brightness, np.float32(colour[channel]) * (1 - fraction[block]), out=target)
            target += np.float32(haze[channel]) * fraction[block]


def _rotate(x_m: FloatMap, y_m: FloatMap, rotation: float) -> tuple[FloatMap, FloatMap]:
    """Coordinates along and across a direction of the ground; without rotation the second is constant in a row."""
    if rotation == 0:
        return x_m, y_m
    cos, sin = np.float32(np.cos(rotation)), np.float32(np.sin(rotation))
    return x_m * cos + y_m * sin, y_m * cos - x_m * sin


def _brightness(pavement: Pavement, along: FloatMap, across: FloatMap, footprint_m: FloatMap) -> FloatMap:
    """Relative brightness of the ground per pixel, around 1; detail finer than a pixel fades to its mean.

    Args:
        pavement: type of ground.
        along: `[rows, width]` ground coordinates in metres, along the slabs.
        across: `[rows, width or 1]` ground coordinates in metres, across the slabs.
        footprint_m: `[rows, 1]` length of ground that a pixel shows, in metres; smaller in lower rows.
    """
    brightness = np.ones_like(along)
    for sample_m, strength in GRAINS:
        weight = np.float32(pavement.grain * strength) * (3 * np.float32(sample_m) / footprint_m).clip(0, 1)
        near = np.count_nonzero(weight <= MIN_GRAIN)  # first row near enough to show this grain
        grain = _sample_noise(along[near:], across[near:], sample_m)
        grain *= weight[near:]
        brightness[near:] += grain
    if pavement.slab_m[0]:
        _add_slabs(brightness, pavement, along, across, footprint_m)
    return brightness


@cache
def _noise_tile() -> FloatMap:
    """Smooth periodic noise, `[NOISE_SIDE_SAMPLES, NOISE_SIDE_SAMPLES]`, mean 0, standard deviation 1."""
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((NOISE_SIDE_SAMPLES, NOISE_SIDE_SAMPLES)))
    frequency = np.hypot(np.fft.fftfreq(NOISE_SIDE_SAMPLES)[:, None], np.fft.rfftfreq(NOISE_SIDE_SAMPLES))
    tile = np.fft.irfft2(white / (0.02 + frequency) ** 0.8)
    return np.asarray((tile - tile.mean()) / tile.std(), np.float32)


def _sample_noise(along: FloatMap, across: FloatMap, sample_m: float) -> FloatMap:
    """Values of the noise tile, repeated over the ground with samples of this side in metres."""
    i, j = ((axis * np.float32(1 / sample_m)).astype(np.int32) for axis in (across, along))
    j &= NOISE_SIDE_SAMPLES - 1
    i &= NOISE_SIDE_SAMPLES - 1
    i *= NOISE_SIDE_SAMPLES
    return _noise_tile().take(i + j)


def _add_slabs(
    brightness: FloatMap,
    pavement: Pavement,
    along: FloatMap,
    across: FloatMap,
    footprint_m: FloatMap,
) -> None:
    """Darkens the joints between slabs and varies the slabs' brightness, where a pixel is small enough to show it."""
    length, breadth = pavement.slab_m
    weight = (np.float32(0.5 * min(length, breadth)) / footprint_m).clip(0, 1)
    near = np.count_nonzero(weight <= 0.05)
    weight, along, across, footprint = weight[near:], along[near:], across[near:], footprint_m[near:]
    row = np.floor(across / np.float32(breadth))
    shifted = along / np.float32(length) + (row % 2) * np.float32(0.5)
    column = np.floor(shifted)
    to_joint = np.minimum(
        _distance_to_integer(shifted) * np.float32(length),
        _distance_to_integer(across / np.float32(breadth)) * np.float32(breadth),
    )
    half = np.float32(pavement.joint_m / 2)
    cover = ((half + footprint / 2 - to_joint) / footprint).clip(0, 1)
    cover *= np.float32(0.38) * weight * np.minimum(1, 2 * half / footprint)
    slab = row.astype(np.int32) * (71 * 37) + column.astype(np.int32) * (113 * 37)
    slab &= NOISE_SIDE_SAMPLES**2 - 1
    slab_brightness = _noise_tile().take(slab)
    slab_brightness *= weight * np.float32(pavement.slab_deviation)
    slab_brightness -= cover
    brightness[near:] += slab_brightness


def _distance_to_integer(values: FloatMap) -> FloatMap:
    """Distance to the nearest integer."""
    return np.abs(values - np.round(values))


def draw_shadows(image: FloatImage, camera: Camera, people: tuple[SyntheticPerson, ...], light: Light) -> None:
    """Darkens the ground in the shadows of people, and softly around their feet, in place."""
    height, width = camera.size
    cast, contact = (Image.new("L", (-(-width // SHADOW_STEP), -(-height // SHADOW_STEP))) for _ in range(2))
    blur = max(cast.size) / 320
    if light.strength > 0:
        outlines = _shadow_outlines(people, light)
        _fill(ImageDraw.Draw(cast), camera, outlines, int(255 * light.strength * CAST_SHADOW_FRACTION))
        cast = cast.filter(ImageFilter.BoxBlur(0.4 * blur))
    _fill(ImageDraw.Draw(contact), camera, _contact_outlines(people), int(255 * CONTACT_SHADOW_FRACTION))
    contact = contact.filter(ImageFilter.BoxBlur(1.25 * blur))
    remaining = ImageChops.multiply(ImageChops.invert(cast), ImageChops.invert(contact))
    area = 0, 0, width / SHADOW_STEP, height / SHADOW_STEP
    remaining = remaining.resize((width, height), Image.Resampling.BILINEAR, area)
    image *= np.asarray(remaining) * np.float32(1 / 255)


def _fill(draw: ImageDraw.ImageDraw, camera: Camera, outlines_m: FloatArray, value: int) -> None:
    """Fills polygons on the ground, `[num_polygons, num_corners, 2]` metres, if entirely in front of the camera."""
    count, num_corners, _ = outlines_m.shape
    points = np.concatenate([outlines_m.reshape(-1, 2), np.zeros((count * num_corners, 1))], axis=1)
    pixels = camera.project(points).reshape(count, num_corners, 2) / SHADOW_STEP
    pixels = pixels[np.isfinite(pixels).all(axis=(1, 2)) & (np.abs(pixels) < MAX_COORDINATE_PX).all(axis=(1, 2))]
    for outline in pixels.reshape(-1, 2 * num_corners).tolist():
        draw.polygon(outline, value)


def _shadow_outlines(people: tuple[SyntheticPerson, ...], light: Light) -> FloatArray:
    """Shadows of bodies on flat ground, with the widths of hips, shoulders and head, `[num_people, 12, 2]` metres."""
    positions = np.array([(p.x_m, p.y_m) for p in people]).reshape(-1, 1, 2)
    lengths = np.array([p.height_m for p in people]).reshape(-1, 1) / np.tan(light.elevation_rad)
    along = np.array([-0.02, 0.1, 0.45, 0.78, 0.84, 1.0])
    half_m = np.array([0.10, 0.13, 0.17, 0.21, 0.09, 0.06])
    direction = np.array([np.sin(light.azimuth_rad), np.cos(light.azimuth_rad)])
    normal = np.array([direction[1], -direction[0]])
    spine = positions + (lengths * along)[..., None] * direction
    sides = half_m[:, None] * normal
    return np.concatenate([spine + sides, (spine - sides)[:, ::-1]], axis=1)


def _contact_outlines(people: tuple[SyntheticPerson, ...]) -> FloatArray:
    """Discs of ground around the feet, `[num_people, 12, 2]` metres."""
    positions = np.array([(p.x_m, p.y_m) for p in people]).reshape(-1, 1, 2)
    angles = 2 * np.pi * np.arange(12) / 12
    return np.asarray(positions + 0.24 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
