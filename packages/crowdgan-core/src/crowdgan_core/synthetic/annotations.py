"""What is known of a made-up image: its CrowdHuman record with boxes, and the truth about camera and crowd.

The record has CrowdHuman's form. A person is annotated when at least `MIN_VISIBLE_PX` pixels of the body can be seen:

- `fbox`: the whole body, hidden parts and parts beyond the image's edges included; its lower edge is the row of the
  person's ground point and its upper edge that of the top of the head, rounded to pixels.
- `vbox`: the smallest box round the pixels that show the person.
- `hbox`: the whole head with its hair, hidden or not.
- `head_attr.occ`, `extra.occ`: 1 when less than `CLEAR_SHARE` of the head's, or body's, pixels in the image are seen.

A `mask` is a group far behind the crowd, or a statue; all three boxes are the pixels that show it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.synthetic.render.compositing import box_slices
from crowdgan_core.synthetic.render.renderer import DISTANT, STATUE, RenderedScene
from crowdgan_core.synthetic.render.sprites import PixelRect
from crowdgan_core.synthetic.world.world import World
from crowdgan_core.utils.arrays import Boxes

MIN_VISIBLE_PX = 6
"""Persons of whom fewer pixels can be seen are not annotated: nobody would find them."""

CLEAR_SHARE = 0.9
"""A head or body counts as occluded when a smaller share of it is seen; ours."""

MASK_MARGIN_PX = 1
"""Masks reach this far beyond the pixels that they cover."""

DIGITS = 4
"""Digits after the point in the truth: metres to a tenth of a millimetre."""


def annotate(drawing: RenderedScene, world: World, image_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """CrowdHuman record and truth record of one image; for the latter see `write_synthetic_dataset`."""
    entries, box_ids = _persons(drawing)
    entries += [_mask(drawing.owners, owner) for owner in (DISTANT, STATUE) if (drawing.owners == owner).any()]
    return {"ID": image_id, "gtboxes": entries}, _truth(world, box_ids)


def _persons(drawing: RenderedScene) -> tuple[list[dict[str, Any]], list[int | None]]:
    """Entries of those who can be seen, and everybody's `box_id`, None for the others."""
    entries: list[dict[str, Any]] = []
    box_ids: list[int | None] = []
    for index in range(len(drawing.full_boxes)):
        seen = _seen(drawing, index)
        if seen is None:
            box_ids.append(None)
            continue
        box_ids.append(len(entries))
        entries.append(_person(drawing, index, len(entries), seen))
    return entries, box_ids


def _seen(drawing: RenderedScene, index: int) -> npt.NDArray[np.int64] | None:
    """Rows and columns of the pixels that show a person, `[2, num_pixels]`; None if they are too few."""
    height, width = drawing.owners.shape
    box = drawing.full_boxes[index] + np.array([-1, -1, 1, 1])
    rows, columns = box_slices(box, (0, 0, width, height))
    places = np.array(np.nonzero(drawing.owners[rows, columns] == index))
    return places + np.array([[rows.start], [columns.start]]) if places.shape[1] >= MIN_VISIBLE_PX else None


def _person(drawing: RenderedScene, index: int, box_id: int, seen: npt.NDArray[np.int64]) -> dict[str, Any]:
    head_box = drawing.head_boxes[index]
    height, width = drawing.owners.shape
    image: PixelRect = (0, 0, width, height)
    head_px = np.count_nonzero(drawing.owners[box_slices(head_box, image)] == index)
    body_solid, head_solid = drawing.solid_px[index]
    return {
        "tag": "person",
        "hbox": rounded_xywh(head_box),
        "head_attr": {"ignore": 0, "occ": int(head_px < CLEAR_SHARE * head_solid or not head_px), "unsure": 0},
        "fbox": rounded_xywh(drawing.full_boxes[index]),
        "vbox": _around(seen),
        "extra": {"box_id": box_id, "occ": int(seen.shape[1] < CLEAR_SHARE * body_solid)},
    }


def _mask(owners: npt.NDArray[np.int16], owner: int) -> dict[str, Any]:
    x, y, width, height = _around(np.array(np.nonzero(owners == owner)))
    left, top = max(x - MASK_MARGIN_PX, 0), max(y - MASK_MARGIN_PX, 0)
    right = min(x + width + MASK_MARGIN_PX, owners.shape[1])
    bottom = min(y + height + MASK_MARGIN_PX, owners.shape[0])
    box = [left, top, right - left, bottom - top]
    return {"tag": "mask", "hbox": box, "head_attr": {}, "fbox": box, "vbox": box, "extra": {"ignore": 1}}


def _around(places: npt.NDArray[np.int64]) -> list[int]:
    """The smallest box xywh round pixels given by rows and columns, `[2, num_pixels]`."""
    (top, left), (bottom, right) = places.min(axis=1).tolist(), places.max(axis=1).tolist()
    return [left, top, right - left + 1, bottom - top + 1]


def rounded_xywh(box_xyxy: Boxes) -> list[int]:
    """A box with whole edges, xywh, each edge the nearest to the exact one, and at least 1 px wide and high."""
    left, top, right, bottom = np.round(box_xyxy).astype(int).tolist()
    return [left, top, max(right - left, 1), max(bottom - top, 1)]


def _truth(world: World, box_ids: list[int | None]) -> dict[str, Any]:
    camera = world.camera
    return {
        "camera": {
            "height_m": round(camera.height_m, DIGITS),
            "pitch_deg": round(math.degrees(camera.pitch_rad), DIGITS),
            "focal_length_px": round(camera.focal_length_px, DIGITS),
            "focal_length_35mm": world.focal_35mm,
            "size": list(camera.size),
        },
        "people": [
            {
                "x_m": round(person.x_m, DIGITS),
                "y_m": round(person.y_m, DIGITS),
                "height_m": round(person.height_m, DIGITS),
                "box_id": box_id,
            }
            for person, box_id in zip(world.people, box_ids, strict=True)
        ],
        "area_m2": round(world.area_m2, DIGITS),
        "region_m": [[round(x, DIGITS), round(y, DIGITS)] for x, y in world.region_m.tolist()],
        "density_per_m2": len(world.people) / world.area_m2,
    }
