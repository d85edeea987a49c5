"""Polygons of bodies in drawing order: every visible part in as many shading layers as its size in pixels needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.synthetic.people.body_parts import DETAIL_MIN_HEIGHT_PX
from crowdgan_core.synthetic.people.outlines import LAYER_WIDTHS
from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.utils.arrays import BoolArray, IndexArray

MAX_LAYERS = len(LAYER_WIDTHS)
"""Number of layers of the largest parts."""

FIRST_LAYER_RADIUS_PX, LAYERS_EXPONENT = 3.6, 1.4
"""A part of radius r pixels has (r / FIRST_LAYER_RADIUS_PX) ** LAYERS_EXPONENT layers, rounded up; ours.

Steps of brightness are more visible on large parts.
"""

COARSE_MAX_HEIGHT_PX = 150
"""Maximum body height in pixels for coarse outlines; of larger bodies, only heads and rims have all corners; ours."""

INK_BYTES, OPAQUE_INK = np.array([1, 1 << 8, 1 << 16]), 255 << 24
"""Factors of red, green and blue in Pillow's integer for a colour, and the summand of full alpha."""


def _layer_tables() -> tuple[BoolArray, IndexArray]:
    """Layers drawn of a part with n layers, and the layer that gives each its colour, `[MAX_LAYERS + 1, MAX_LAYERS]`.

    The layers are evenly spaced from the rim. A layer that stands for several has the colour of the middle one.
    """
    drawn = np.zeros((MAX_LAYERS + 1, MAX_LAYERS), bool)
    colour = np.zeros((MAX_LAYERS + 1, MAX_LAYERS), np.intp)
    for count in range(1, MAX_LAYERS + 1):
        layers = np.arange(count + 1) * MAX_LAYERS // count
        drawn[count, layers[:-1]] = True
        colour[count, layers[:-1]] = (layers[:-1] + layers[1:] - 1) // 2
    return drawn, colour


DRAWN_LAYERS, COLOUR_LAYERS = _layer_tables()


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyPolygons:
    """Polygons of one body in drawing order."""

    outlines: Sequence[list[float]]
    """Coordinates of the corners on the body's canvas, one after the other."""

    fills: Sequence[int]
    """Colours as Pillow's integers."""


def body_polygons(
    bodies: ProjectedBodies, indices: IndexArray, rects: IndexArray, factors: IndexArray
) -> Iterator[BodyPolygons]:
    """Polygons of bodies on their canvases, one body after the other; without those below the canvas.

    The canvases are transposed, since Pillow's time grows with the number of rows, and most parts are tall.

    Args:
        bodies: all bodies.
        indices: `[num_indices]` the bodies that are drawn.
        rects: `[num_indices, 4]` left, top, right, bottom of each body's canvas in the image.
        factors: `[num_indices]` factor by which the canvas is enlarged.
    """
    counts = _layer_counts(bodies, indices)
    body, part, piece, layer = _drawing_order(bodies, indices, counts)
    corners = bodies.outlines.take(indices[body], piece).layers(layer)
    shown = corners[..., 1].min(axis=1) < rects[body, 3]
    body, part, piece, layer, corners = (values[shown] for values in (body, part, piece, layer, corners))
    corners = (corners - rects[body, None, :2]) * factors[body, None, None]

    is_large = (bodies.heights_px[indices] > COARSE_MAX_HEIGHT_PX)[body]
    is_fine = is_large & (np.array([part.is_head for part in bodies.parts])[part] | (layer == 0))
    coarse_corners = bodies.outlines.coarse[piece[~is_fine], :, None]
    fine, coarse = corners[is_fine], np.take_along_axis(corners[~is_fine], coarse_corners, axis=1)
    fine_outlines, coarse_outlines = (
        iter(chosen[..., ::-1].reshape(len(chosen), 2 * chosen.shape[1]).tolist()) for chosen in (fine, coarse)
    )
    outlines = [next(fine_outlines if fine else coarse_outlines) for fine in is_fine.tolist()]

    slots = np.concatenate([part.slots for part in bodies.parts])
    colours = bodies.colours[indices[body], COLOUR_LAYERS[counts[body, part], layer], slots[piece]]
    fills = (colours @ INK_BYTES + OPAQUE_INK).tolist()
    ends = np.cumsum(np.bincount(body, minlength=len(indices))).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        yield BodyPolygons(outlines=outlines[start:end], fills=fills[start:end])


def _drawing_order(bodies: ProjectedBodies, indices: IndexArray, counts: IndexArray) -> tuple[IndexArray, ...]:
    """Position in `indices`, part, piece and layer of each polygon, in drawing order.

    Args:
        bodies: all bodies.
        indices: `[num_indices]` the bodies that are drawn.
        counts: `[num_indices, num_parts]` number of layers.
    """
    part_of_piece = np.repeat(np.arange(len(bodies.parts)), [len(part.pieces) for part in bodies.parts])
    order = np.stack([part.order[indices] for part in bodies.parts], axis=1)
    rank = np.argsort(np.argsort(order, axis=1, kind="stable"), axis=1)
    body, piece, layer = np.nonzero(DRAWN_LAYERS[counts[:, part_of_piece]])
    part = part_of_piece[piece]
    sequence = np.argsort((body * len(bodies.parts) + rank[body, part]) * MAX_LAYERS + layer, kind="stable")
    return body[sequence], part[sequence], piece[sequence], layer[sequence]


def _layer_counts(bodies: ProjectedBodies, indices: IndexArray) -> IndexArray:
    """Number of shading layers of each part, `[num_indices, num_parts]`; 0 for parts that are not drawn."""
    heights_px = bodies.heights_px[indices, None]
    radii = np.array([part.radius for part in bodies.parts])
    counts = np.ceil((heights_px * radii / FIRST_LAYER_RADIUS_PX) ** LAYERS_EXPONENT).clip(1, MAX_LAYERS).astype(int)
    is_detail = np.array([part.is_detail for part in bodies.parts])
    visible = np.stack([part.visible[indices] for part in bodies.parts], axis=1)
    return np.where(visible & (~is_detail | (heights_px >= DETAIL_MIN_HEIGHT_PX)), counts, 0)
