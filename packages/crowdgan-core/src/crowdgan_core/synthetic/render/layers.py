"""Polygons of bodies in drawing order: every visible part in as many shading layers as its size in pixels needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.synthetic.people.body_parts import DETAIL_MIN_HEIGHT_PX
from crowdgan_core.synthetic.people.outlines import LAYER_WIDTHS, NUM_CORNERS
from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.utils.arrays import BoolArray, IndexArray, Points

MAX_LAYERS = len(LAYER_WIDTHS)
"""Number of layers of the largest parts."""

LAYER_STEP_PX = 3.4
"""Radius in pixels per shading layer: a part has one layer up to this radius, two up to twice this radius; ours."""


SOME_CORNERS_MAX_HEIGHT_PX = 130
"""Maximum body height in pixels for rims with half the corners; the other layers of all bodies have half; ours."""

SOME_OF_CIRCLE, SOME_OF_SIDES = np.arange(0, NUM_CORNERS, 2), np.array([0, 2, 5, 7, 8, 10, 13, 15])
"""Half the corners of ellipsoids, which keep their axes, and of limbs and trunks, which keep the ends of both sides."""


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
    bodies: ProjectedBodies, indices: IndexArray, origins_px: Points, factors: IndexArray
) -> Iterator[BodyPolygons]:
    """Polygons of bodies on their canvases, one body after the other.

    The canvases are transposed, since Pillow's time grows with the number of rows, and most parts are tall.

    Args:
        bodies: all bodies.
        indices: `[num_indices]` the bodies that are drawn.
        origins_px: `[num_indices, 2]` position of each body's canvas in the image.
        factors: `[num_indices]` factor by which the canvas is enlarged.
    """
    counts = _layer_counts(bodies, indices)
    part_of_piece = np.repeat(np.arange(len(bodies.parts)), [len(part.pieces) for part in bodies.parts])
    order = np.stack([part.order[indices] for part in bodies.parts], axis=1)
    rank = np.argsort(np.argsort(order, axis=1, kind="stable"), axis=1)
    body, piece, layer = np.nonzero(DRAWN_LAYERS[counts[:, part_of_piece]])
    part = part_of_piece[piece]
    drawing_order = np.argsort((body * len(bodies.parts) + rank[body, part]) * MAX_LAYERS + layer, kind="stable")
    body, piece, layer, part = (values[drawing_order] for values in (body, piece, layer, part))

    slots = np.concatenate([part.slots for part in bodies.parts])
    colours = bodies.colours[indices[body], COLOUR_LAYERS[counts[body, part], layer], slots[piece]]
    fills = (colours @ INK_BYTES + OPAQUE_INK).tolist()

    corners = bodies.outlines.take(indices[body], piece).layers(layer)
    corners = (corners - origins_px[body, None]) * factors[body, None, None]
    is_tall = (bodies.heights_px[indices] > SOME_CORNERS_MAX_HEIGHT_PX)[body]
    is_head = np.array([part.is_head for part in bodies.parts])[part]
    is_full = is_tall & (is_head | (layer == 0))
    of_circle, of_sides = (corners[~is_full].take(some, axis=1) for some in (SOME_OF_CIRCLE, SOME_OF_SIDES))
    some = np.where(is_head[~is_full, None, None], of_circle, of_sides)
    full_outlines, some_outlines = (
        iter(chosen[..., ::-1].reshape(len(chosen), 2 * chosen.shape[1]).tolist())
        for chosen in (corners[is_full], some)
    )
    polygons = [next(full_outlines if full else some_outlines) for full in is_full.tolist()]
    ends = np.cumsum(np.bincount(body, minlength=len(indices))).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        yield BodyPolygons(outlines=polygons[start:end], fills=fills[start:end])


def _layer_counts(bodies: ProjectedBodies, indices: IndexArray) -> IndexArray:
    """Number of shading layers of each part, `[num_indices, num_parts]`; 0 for parts that are not drawn."""
    heights_px = bodies.heights_px[indices, None]
    radii = np.array([part.radius for part in bodies.parts])
    counts = np.ceil(heights_px * radii / LAYER_STEP_PX).clip(1, MAX_LAYERS).astype(np.intp)
    is_detail = np.array([part.is_detail for part in bodies.parts])
    visible = np.stack([part.visible[indices] for part in bodies.parts], axis=1)
    return np.where(visible & (~is_detail | (heights_px >= DETAIL_MIN_HEIGHT_PX)), counts, 0)
