"""The camera of an image, told from the people in it.

All people are about equally tall, so that their boxes tell how the camera stands over flat ground. For a person whose
feet are seen at row v and whose head is seen at row u,

    tan δ(u) / tan δ(v) = 1 − H / C,   δ(v) = θ + atan((v − cy) / f),

with camera height C, pitch θ, focal length f and the person's height H. For every θ and f this gives H / C of each
person. Heights H vary by a few per cent around 1.685 m, boxes are a little wrong, and some are wholly wrong: log H is
taken as a normal distribution, mixed with a share of boxes that tell nothing. C follows for every θ and f by
expectation maximisation; how well all of that explains the boxes weighs θ against θ and f against f.

The head rows are what is explained, so the density of log H is multiplied by |∂ log H / ∂ u|. Without it, cameras that
make everybody's height less sensitive to the boxes win, and long lenses seem short.

Source: the relation is that of Hoiem, Efros and Hebert, "Putting Objects in Perspective", CVPR 2006, without their
approximations; the mixture and the posterior are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.utils.arrays import Boxes

Floats = npt.NDArray[np.float64]

HEIGHT_SD = 0.09 / MEAN_HEIGHT_M
"""Relative standard deviation of standing heights."""

BOX_SD = 0.03
"""Relative standard deviation of box heights around the true ones, ours: two edges, each wrong by 2 %."""

LOG_HEIGHT_SD = math.hypot(HEIGHT_SD, BOX_SD)
"""Standard deviation of log H as boxes show it."""

OUTLIER_FRACTION = 0.1
"""Share of boxes that are expected to be wrong: sitting people, children, posters, bad annotations; ours."""

WRONG_DENSITY = 0.3
"""Density of log H among wrong boxes: anything over a range of e^3.3; ours."""

INLIER_SDS = 3.0
"""Standard deviations of log H within which a box fits the camera."""

LOG_CAMERA_HEIGHT = (math.log(4.0), 0.9)
"""Mean and standard deviation of log C in log metres: cameras stand from eye level to a roof; ours."""

PITCHES_DEG = (-10.0, 65.0, 1.5)
"""First, last and step of the pitches that are tried, in degrees."""

FINE_STEPS = 10
"""Steps between two pitches in the second pass, near the best of the first."""

PRIOR_FOCAL_35MM = (24.0, 50.0)
"""Focal lengths on 35 mm film that are tried where none is known, wide angle to normal, evenly on a log scale."""

PRIOR_FOCALS = 7
"""Number of focal lengths tried."""

MAX_PEOPLE = 250
"""People that the camera is told from; more are thinned out evenly, since they would add nothing but time."""

ITERATIONS = 8
"""Rounds of expectation maximisation; the mean moves by less than a thousandth after five."""

MIN_TANGENT = 1e-3
"""Feet nearer to the horizon than this, as the tangent of the angle below it, tell nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraPosterior:
    """Cameras that may have taken an image, and how probable each is."""

    pitches_rad: Floats
    """`[num_cameras]` θ."""
    focals_px: Floats
    """`[num_cameras]` f."""
    log_heights: Floats
    """`[num_cameras]` log C, C in metres."""
    weights: Floats
    """`[num_cameras]` probabilities; their sum is 1."""
    size: tuple[int, int]
    """`(height, width)` of the image in pixels."""

    def camera(self, index: int) -> Camera:
        """One of the cameras."""
        return Camera(
            height_m=float(np.exp(self.log_heights[index])),
            pitch_rad=float(self.pitches_rad[index]),
            focal_length_px=float(self.focals_px[index]),
            size=self.size,
        )

    def best(self) -> Camera:
        """The most probable camera."""
        return self.camera(int(self.weights.argmax()))

    def quantile_cameras(self, count: int) -> list[Camera]:
        """Cameras that stand for equal shares of the probability, in the order of focal length and pitch."""
        shares = (np.arange(count) + 0.5) / count
        order = np.lexsort((self.pitches_rad, self.focals_px))
        indices = order[np.searchsorted(np.cumsum(self.weights[order]), shares).clip(0, len(order) - 1)]
        return [self.camera(int(index)) for index in indices]


def calibrate_camera(boxes_xywh: Boxes, size: tuple[int, int], focal_length_px: float | None) -> CameraPosterior:
    """The cameras that explain people's boxes.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, num_people >= 2; from the head's top to the feet.
        size: `(height, width)` of the whole image in pixels; the principal point is its middle.
        focal_length_px: None where it is unknown; focal lengths of 24 to 50 mm on 35 mm film are then tried.
    """
    feet, heads = _rows(boxes_xywh, size)
    if focal_length_px is not None:
        focals = np.array([focal_length_px])
    else:
        focals = np.geomspace(*PRIOR_FOCAL_35MM, PRIOR_FOCALS) / 36 * max(size)
    first, last, step = np.radians(PITCHES_DEG)
    coarse = np.arange(first, last + step / 2, step)
    found = [_fine_pitches(feet, heads, focal, coarse) for focal in focals]
    pitches = np.concatenate([item[0] for item in found])
    log_heights = np.concatenate([item[1] for item in found])
    scores = np.concatenate([item[2] for item in found])
    weights = np.exp(scores - scores.max())
    return CameraPosterior(
        pitches_rad=pitches,
        focals_px=np.repeat(focals, [len(item[0]) for item in found]),
        log_heights=log_heights,
        weights=weights / weights.sum(),
        size=size,
    )


def relative_heights(boxes_xywh: Boxes, camera: Camera) -> Floats:
    """Heights H of people before a camera over the mean standing height, `[num_people]`.

    NaN where the feet are at the horizon or above.
    """
    feet = np.tan(camera.depression(boxes_xywh[:, 1] + boxes_xywh[:, 3]))
    heads = np.tan(camera.depression(boxes_xywh[:, 1]))
    shares = 1 - heads / np.where(feet > MIN_TANGENT, feet, np.nan)
    return np.asarray(shares * camera.height_m / MEAN_HEIGHT_M)


def inlier_mask(boxes_xywh: Boxes, camera: Camera) -> npt.NDArray[np.bool_]:
    """Which boxes show a standing person on the camera's ground, `[num_people]`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(relative_heights(boxes_xywh, camera))
    return np.abs(logs) <= INLIER_SDS * LOG_HEIGHT_SD


def height_residual(boxes_xywh: Boxes, camera: Camera) -> float:
    """Standard deviation of people's heights by a camera, relative; of boxes that fit it, at least one."""
    return float(np.log(relative_heights(boxes_xywh, camera)).std())


def _rows(boxes_xywh: Boxes, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Rows of feet and heads below the image's middle in pixels, `[num_people]` each, of at most `MAX_PEOPLE`."""
    if len(boxes_xywh) > MAX_PEOPLE:
        order = np.argsort(boxes_xywh[:, 1] + boxes_xywh[:, 3], kind="stable")
        boxes_xywh = boxes_xywh[order[np.linspace(0, len(order) - 1, MAX_PEOPLE).astype(int)]]
    heads = boxes_xywh[:, 1] - size[0] / 2
    return heads + boxes_xywh[:, 3], heads


def _fine_pitches(feet: Floats, heads: Floats, focal: float, coarse: Floats) -> tuple[Floats, Floats, Floats]:
    """Pitches near the best of the coarse ones, their log camera heights and their scores."""
    _, scores = _scores(feet, heads, focal, coarse)
    step = coarse[1] - coarse[0]
    likely = coarse[scores > scores.max() - 8]
    fine = np.arange(likely.min() - step, likely.max() + step, step / FINE_STEPS)
    log_heights, fine_scores = _scores(feet, heads, focal, fine)
    return fine, log_heights, fine_scores


def _scores(feet: Floats, heads: Floats, focal: float, pitches: Floats) -> tuple[Floats, Floats]:
    """Log camera height and log probability, up to a constant, of each pitch, `[num_pitches]` each."""
    foot_tangents = np.tan(pitches[:, None] + np.arctan(feet / focal))
    head_angles = pitches[:, None] + np.arctan(heads / focal)
    valid = (foot_tangents > MIN_TANGENT) & (np.tan(head_angles) < foot_tangents)
    shares = np.where(valid, 1 - np.tan(head_angles) / np.where(valid, foot_tangents, 1.0), 1.0)
    slopes = 1 / (np.cos(head_angles) ** 2 * np.abs(foot_tangents) * shares * focal * (1 + (heads / focal) ** 2))
    estimates = math.log(MEAN_HEIGHT_M) - np.log(shares)  # of log C, by each person alone
    peak = (1 - OUTLIER_FRACTION) / (LOG_HEIGHT_SD * math.sqrt(2 * math.pi)) * np.where(valid, slopes, 0.0)
    wrong = OUTLIER_FRACTION * WRONG_DENSITY / (feet - heads)
    log_heights = np.median(np.where(valid, estimates, LOG_CAMERA_HEIGHT[0]), axis=1)
    mean, sd = LOG_CAMERA_HEIGHT
    for _ in range(ITERATIONS):
        right = peak * np.exp(-0.5 * ((estimates - log_heights[:, None]) / LOG_HEIGHT_SD) ** 2)
        share = right / (right + wrong)
        precision = share.sum(axis=1) / LOG_HEIGHT_SD**2 + 1 / sd**2
        log_heights = ((share * estimates).sum(axis=1) / LOG_HEIGHT_SD**2 + mean / sd**2) / precision
    right = peak * np.exp(-0.5 * ((estimates - log_heights[:, None]) / LOG_HEIGHT_SD) ** 2)
    prior = -0.5 * ((log_heights - mean) / sd) ** 2
    return log_heights, np.log(right + wrong).sum(axis=1) + prior - 0.5 * np.log(precision)
