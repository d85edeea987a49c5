"""People who are missing because nearer people stand before them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.utils.arrays import Boxes

Points = npt.NDArray[np.float64]

BODY_POINTS = np.array([(x, y) for y in (0.03, 0.1, 0.3, 0.55, 0.8) for x in (-0.05, 0.0, 0.05)])
"""Points of a standing body that must all be covered for it to be hidden, `[15, 2]`: from the middle and from the top,
as shares of its height; ours."""

MAX_PEOPLE = 100
"""People between whom the ground is sampled; of more, evenly chosen ones, since they would add nothing but time."""

MAX_HIDDEN_SHARE = 0.5
"""Most of the ground that people are taken to hide, ours: behind a wall of people nothing can be told."""

CERTAIN_OVERLAP_FRACTION = 0.6
"""Share of their width that nearer people are taken to have before somebody who is annotated counts as hidden: an elbow
that shows is enough to be annotated."""

HEAD_SHARE = 0.14
"""Share of a person's height that the head takes."""

NEARER_SHARE = 0.02
"""Feet must be lower by this share of a person's height for the person to stand before somebody, and not to be the same
person."""

SOLID_WIDTHS = (0.12, 0.24)
"""Widths of head and body, as shares of a person's height, that let nothing through; ours."""


def occluded_fraction(positions_m: Points, boxes_xywh: Boxes, camera: Camera) -> float:
    """Share of the people that is not annotated because nearer ones hide them, 0 to 1.

    Of the ground a share H hides whoever stands there. Where annotators leave hidden people out, a share H of all is
    missing. Where they draw a box for everybody, a share of the annotated people is hidden, too: as large as H when
    nobody is missing. So 1 − (1 − H) / (1 − share of the annotated who are hidden).

    Args:
        positions_m: `[num_people, 2]` of the annotated people on the ground.
        boxes_xywh: `[num_covering, 4]` full boxes in pixels of everybody who may stand before somebody.
        camera: what sees them.
    """
    if not len(positions_m):
        return 0.0
    chosen = np.linspace(0, len(positions_m) - 1, min(len(positions_m), MAX_PEOPLE)).astype(int)
    annotated_hidden = float(_hidden(positions_m[chosen], boxes_xywh, camera, slimming=CERTAIN_OVERLAP_FRACTION).mean())
    ground_hidden = hidden_ground_share(positions_m[chosen], boxes_xywh, camera)
    return max(0.0, 1 - (1 - ground_hidden) / max(1 - annotated_hidden, 1 - MAX_HIDDEN_SHARE))


def hidden_ground_share(positions_m: Points, boxes_xywh: Boxes, camera: Camera) -> float:
    """Share of the ground between people on which a standing person would be hidden by nearer ones, 0 to 1.

    The ground is sampled at the middles of the triangles between neighbours (Delaunay), each as much as its area.

    Args:
        positions_m: `[num_people, 2]` of people on the ground.
        boxes_xywh: `[num_covering, 4]` full boxes in pixels of everybody who may stand before them.
        camera: what sees them.
    """
    from scipy.spatial import Delaunay, QhullError  # here, because `crowdgan --help` shall not load scipy

    try:
        corners = positions_m[Delaunay(positions_m).simplices]
    except (QhullError, ValueError):  # on one line, or fewer than three
        return 0.0
    sides = corners[:, 1:] - corners[:, :1]
    areas = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    hidden = _hidden(corners.mean(axis=1), boxes_xywh, camera)
    return min(float((hidden * areas).sum() / areas.sum()), MAX_HIDDEN_SHARE)


def _hidden(places_m: Points, boxes_xywh: Boxes, camera: Camera, *, slimming: float = 1.0) -> npt.NDArray[np.bool_]:
    """Whether a standing person would be hidden at each place, `[num_places]`, by people of `slimming` their width."""
    flat = np.zeros((len(places_m), 1))
    feet = camera.project(np.hstack([places_m, flat]))
    tall = feet[:, 1] - camera.project(np.hstack([places_m, flat + MEAN_HEIGHT_M]))[:, 1]
    x = feet[:, :1] + BODY_POINTS[:, 0] * tall[:, None]
    y = (feet[:, 1] - tall)[:, None] + BODY_POINTS[:, 1] * tall[:, None]
    covered = np.zeros(x.shape, bool)
    for left, top, width, height in boxes_xywh.tolist():
        nearer = feet[:, 1] < top + height - NEARER_SHARE * height
        below = (y - top) / height
        half = np.where(below < HEAD_SHARE, SOLID_WIDTHS[0], SOLID_WIDTHS[1]) * slimming * height / 2
        covered |= nearer[:, None] & (below >= 0) & (below <= 1) & (np.abs(x - left - width / 2) <= half)
    return np.asarray(covered.all(axis=1))
