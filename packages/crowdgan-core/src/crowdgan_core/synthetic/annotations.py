"""Annotations of a synthetic image: its CrowdHuman record, and the ground truth of camera and crowd.

A person is annotated if at least `MIN_VISIBLE_PX` pixels of the body are visible. The boxes are:

- `fbox`: the full body, including occluded parts and parts beyond the image's edges. Its lower edge is the row of the
  person's ground point and its upper edge that of the top of the head, rounded to pixels.
- `vbox`: the bounding box of the person's visible pixels.
- `hbox`: the full head with hair, including occluded parts.

`head_attr.occ` and `extra.occ` are 1 if less than `MIN_CLEAR_FRACTION` of the head's, or the body's, pixels in the
image are visible. A `mask` is a group far behind the crowd, or a statue; all three boxes contain its visible pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crowdgan_core.synthetic.render.compositing import PersonIndexImage, box_slices, rounded_boxes
from crowdgan_core.synthetic.render.renderer import DISTANT_GROUP_INDEX, STATUE_INDEX, RenderedScene
from crowdgan_core.synthetic.render.sprites import PixelRect
from crowdgan_core.synthetic.world.world import World
from crowdgan_core.utils.arrays import BoolArray

MIN_VISIBLE_PX = 6
"""Minimum number of visible pixels of an annotated person; an annotator would miss fewer; ours."""

MIN_CLEAR_FRACTION = 0.9
"""Visible fraction of a head or body below which it is marked as occluded; ours."""

MASK_MARGIN_PX = 1
"""Margin in pixels of masks around the pixels that they cover."""

GROUND_TRUTH_DECIMALS = 4
"""Decimals of the ground truth: metres to a tenth of a millimetre."""


def annotate(rendered: RenderedScene, world: World, image_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """CrowdHuman record and ground truth of one image; `write_synthetic_dataset` documents the latter."""
    entries, box_ids = _person_entries(rendered)
    for mask_index in (DISTANT_GROUP_INDEX, STATUE_INDEX):
        if (rendered.person_index == mask_index).any():
            entries.append(_mask_entry(rendered.person_index, mask_index))
    return {"ID": image_id, "gtboxes": entries}, _ground_truth(world, box_ids)


def _person_entries(rendered: RenderedScene) -> tuple[list[dict[str, Any]], list[int | None]]:
    """Entries of all visible people, and the `box_id` of each person of the crowd, None if not annotated."""
    entries: list[dict[str, Any]] = []
    box_ids: list[int | None] = []
    boxes = zip(rounded_boxes(rendered.full_boxes), rounded_boxes(rendered.head_boxes), strict=True)
    for index, (full_box, head_box) in enumerate(boxes):
        entry = _person_entry(rendered, index, len(entries), full_box, head_box)
        box_ids.append(len(entries) if entry else None)
        entries += [entry] if entry else []
    return entries, box_ids


def _person_entry(
    rendered: RenderedScene, index: int, box_id: int, full_box: PixelRect, head_box: PixelRect
) -> dict[str, Any] | None:
    """Entry of a person; None if too few pixels are visible."""
    height, width = rendered.person_index.shape
    image: PixelRect = (0, 0, width, height)
    left, top, right, bottom = full_box
    rows, columns = box_slices((left - 1, top - 1, right + 1, bottom + 1), image)  # bodies exceed boxes by up to 1 px
    visible = rendered.person_index[rows, columns] == index
    visible_px = np.count_nonzero(visible)
    if visible_px < MIN_VISIBLE_PX:
        return None
    visible_head_px = np.count_nonzero(rendered.person_index[box_slices(head_box, image)] == index)
    body_px, head_px = rendered.covered_px[index].tolist()
    head_occluded = visible_head_px < MIN_CLEAR_FRACTION * head_px or not visible_head_px
    return {
        "tag": "person",
        "hbox": _xywh(head_box),
        "head_attr": {"ignore": 0, "occ": int(head_occluded), "unsure": 0},
        "fbox": _xywh(full_box),
        "vbox": _bounding_box(visible, left=columns.start, top=rows.start),
        "extra": {"box_id": box_id, "occ": int(visible_px < MIN_CLEAR_FRACTION * body_px)},
    }


def _mask_entry(person_index: PersonIndexImage, mask_index: int) -> dict[str, Any]:
    x, y, width, height = _bounding_box(person_index == mask_index)
    left, top = max(x - MASK_MARGIN_PX, 0), max(y - MASK_MARGIN_PX, 0)
    right = min(x + width + MASK_MARGIN_PX, person_index.shape[1])
    bottom = min(y + height + MASK_MARGIN_PX, person_index.shape[0])
    box = [left, top, right - left, bottom - top]
    return {"tag": "mask", "hbox": box, "head_attr": {}, "fbox": box, "vbox": box, "extra": {"ignore": 1}}


def _bounding_box(mask: BoolArray, left: int = 0, top: int = 0) -> list[int]:
    """Bounding box xywh of the pixels in a mask `[height, width]`, whose first pixel is at (left, top)."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    x0, x1, y0, y1 = (int(edge) for edge in (columns[0], columns[-1], rows[0], rows[-1]))
    return [left + x0, top + y0, x1 - x0 + 1, y1 - y0 + 1]


def _xywh(box_xyxy: PixelRect) -> list[int]:
    """A box xywh, at least 1 px wide and high."""
    left, top, right, bottom = box_xyxy
    return [left, top, max(right - left, 1), max(bottom - top, 1)]


def _ground_truth(world: World, box_ids: list[int | None]) -> dict[str, Any]:
    camera = world.camera
    return {
        "camera": {
            "height_m": _rounded(camera.height_m),
            "pitch_deg": _rounded(math.degrees(camera.pitch_rad)),
            "focal_length_px": _rounded(camera.focal_length_px),
            "focal_length_35mm": world.focal_35mm,
            "size": list(camera.size),
        },
        "people": [
            {
                "x_m": _rounded(person.x_m),
                "y_m": _rounded(person.y_m),
                "height_m": _rounded(person.height_m),
                "box_id": box_id,
            }
            for person, box_id in zip(world.people, box_ids, strict=True)
        ],
        "area_m2": _rounded(world.area_m2),
        "region_m": [[_rounded(x), _rounded(y)] for x, y in world.region_m.tolist()],
        "density_per_m2": len(world.people) / world.area_m2,
    }


def _rounded(value: float) -> float:
    return round(value, GROUND_TRUTH_DECIMALS)
