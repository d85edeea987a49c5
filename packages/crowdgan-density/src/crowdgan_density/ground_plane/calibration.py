"""Calibration of the camera from people's bounding boxes.

People are of similar height, so their boxes determine the camera's position over flat ground. For a person whose feet
are seen in row v and whose head is seen in row u,

    tan δ(u) / tan δ(v) = 1 − H / C,   δ(v) = θ + atan((v − cy) / f),

with camera height C, pitch θ, focal length f and the person's height H. For given θ and f this determines H / C of
each person. Heights H vary by a few per cent around 1.685 m, box edges are inaccurate, and some boxes are outliers:
log H is modelled as a normal distribution, mixed with a fraction of outliers. C follows for each θ and f by
expectation maximisation; the likelihood of the boxes gives the posterior probability of each θ and f.

The observations are the head rows, so the density of log H is multiplied by |∂ log H / ∂ u|. Without this factor,
cameras for which heights are less sensitive to the boxes are preferred, and focal lengths come out too short.

Source: the relation is that of Hoiem, Efros and Hebert, "Putting Objects in Perspective", CVPR 2006, without their
approximations; the mixture and the posterior are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.utils.arrays import BoolArray, Boxes, FloatArray

HEIGHT_SD = 0.09 / MEAN_HEIGHT_M
"""Relative standard deviation of standing heights."""

BOX_SD = 0.03
"""Relative standard deviation of box heights around the true ones, ours: two edges, each with an error of 2 %."""

LOG_HEIGHT_SD = math.hypot(HEIGHT_SD, BOX_SD)
"""Standard deviation of log H as measured from boxes."""

MEDIAN_SD_FACTOR = math.sqrt(math.pi / 2)
"""Standard deviation of the median of normal values, in standard errors of their mean."""

OUTLIER_FRACTION = 0.1
"""Expected fraction of outliers: seated people, children, posters, wrong annotations; ours."""

OUTLIER_DENSITY = 0.3
"""Probability density of log H of outliers: uniform over a factor of e^3.3; ours."""

INLIER_SDS = 3.0
"""Maximum distance of log H from its mean for an inlier, in standard deviations."""

LOG_CAMERA_HEIGHT_PRIOR = (math.log(4.0), 0.9)
"""Mean and standard deviation of log C, C in metres: cameras from eye level to roofs; ours."""

PITCH_RANGE_DEG = (-10.0, 65.0, 1.5)
"""First, last and step of the evaluated pitches in degrees."""

FINE_STEPS = 10
"""Steps between two pitches in the second pass, near the best pitches of the first."""

PRIOR_FOCAL_RANGE_35MM = (24.0, 50.0)
"""Range of 35 mm equivalent focal lengths if the focal length is unknown, wide angle to normal, log-uniform."""

NUM_PRIOR_FOCALS = 7
"""Number of focal lengths evaluated in that range."""

MAX_PEOPLE = 250
"""Maximum number of people used; more are subsampled evenly, since they would not improve the result."""

NUM_ITERATIONS = 8
"""Iterations of expectation maximisation; the mean changes by less than a thousandth after five."""

MIN_TANGENT = 1e-3
"""Minimum tangent of the angle of feet below the horizon; nearer to the horizon they do not constrain the camera."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraPosterior:
    """Cameras that could have taken an image, with their probabilities."""

    pitches_rad: FloatArray
    """`[num_cameras]` θ."""
    focal_lengths_px: FloatArray
    """`[num_cameras]` f."""
    log_heights: FloatArray
    """`[num_cameras]` log C, C in metres."""
    weights: FloatArray
    """`[num_cameras]` probabilities; their sum is 1."""
    size: tuple[int, int]
    """`(height, width)` of the image in pixels."""

    def __repr__(self) -> str:
        """For example `CameraPosterior(140 cameras, best 5.1 m high, 19.6° down, 560 px, 640x480)`."""
        best, (height, width) = self.best(), self.size
        pitch = f"{math.degrees(best.pitch_rad):.1f}° down"
        camera = f"{best.height_m:.1f} m high, {pitch}, {best.focal_length_px:.0f} px, {width}x{height}"
        return f"CameraPosterior({len(self.weights)} cameras, best {camera})"

    def camera(self, index: int) -> Camera:
        """The camera of an index."""
        return Camera(
            height_m=float(np.exp(self.log_heights[index])),
            pitch_rad=float(self.pitches_rad[index]),
            focal_length_px=float(self.focal_lengths_px[index]),
            size=self.size,
        )

    def best(self) -> Camera:
        """The most probable camera."""
        return self.camera(int(self.weights.argmax()))

    def quantile_cameras(self, count: int) -> list[Camera]:
        """`count` equally probable cameras, at evenly spaced quantiles in the order of focal length and pitch."""
        quantiles = (np.arange(count) + 0.5) / count
        order = np.lexsort((self.pitches_rad, self.focal_lengths_px))
        indices = order[np.searchsorted(np.cumsum(self.weights[order]), quantiles).clip(0, len(order) - 1)]
        return [self.camera(int(index)) for index in indices]


def calibrate_camera(boxes_xywh: Boxes, size: tuple[int, int], focal_length_px: float | None = None) -> CameraPosterior:
    """The posterior over cameras given people's boxes.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, num_people >= 2; from the top of the head to the feet.
        size: `(height, width)` of the full image in pixels; the principal point is its centre.
        focal_length_px: focal length in pixels; None if unknown: 35 mm equivalents of 24 to 50 mm are evaluated.

    Raises:
        DensityError: fewer than two boxes, or a box that is not finite or has no size.
    """
    _check_boxes(boxes_xywh)
    feet, heads = _feet_and_head_rows(boxes_xywh, size)
    if focal_length_px is not None:
        focals = np.array([focal_length_px])
    else:
        focals = np.geomspace(*PRIOR_FOCAL_RANGE_35MM, NUM_PRIOR_FOCALS) / 36 * max(size)
    by_focal = [_fine_pitches(feet, heads, focal, _coarse_pitches()) for focal in focals]
    pitches, log_heights, scores = (np.concatenate(arrays) for arrays in zip(*by_focal, strict=True))
    weights = np.exp(scores - scores.max())
    return CameraPosterior(
        pitches_rad=pitches,
        focal_lengths_px=np.repeat(focals, [len(fine) for fine, _, _ in by_focal]),
        log_heights=log_heights,
        weights=weights / weights.sum(),
        size=size,
    )


def focal_length_log_evidence(boxes_xywh: Boxes, size: tuple[int, int], focal_lengths_px: FloatArray) -> FloatArray:
    """Log probability of people's boxes, up to a constant, for each focal length, `[num_focal_lengths]`.

    Arguments and errors are those of `calibrate_camera`; pitches and camera heights are integrated out.
    """
    _check_boxes(boxes_xywh)
    feet, heads = _feet_and_head_rows(boxes_xywh, size)
    scores = [_fine_pitches(feet, heads, focal, _coarse_pitches())[2] for focal in focal_lengths_px.tolist()]
    return np.array([np.log(np.exp(item - item.max()).sum()) + item.max() for item in scores])


def relative_heights(boxes_xywh: Boxes, camera: Camera) -> FloatArray:
    """Heights H of people, for a camera, divided by the mean standing height, `[num_people]`.

    NaN if the feet are at the horizon or above.
    """
    feet = np.tan(camera.depression(boxes_xywh[:, 1] + boxes_xywh[:, 3]))
    heads = np.tan(camera.depression(boxes_xywh[:, 1]))
    ratios = 1 - heads / np.where(feet > MIN_TANGENT, feet, np.nan)
    return np.asarray(ratios * camera.height_m / MEAN_HEIGHT_M)


def log_relative_heights(boxes_xywh: Boxes, camera: Camera) -> FloatArray:
    """Logarithms of `relative_heights`, `[num_people]`; not finite if the height is not above 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.log(relative_heights(boxes_xywh, camera)))


def inlier_mask(boxes_xywh: Boxes, camera: Camera) -> BoolArray:
    """Whether each box is consistent with a standing person on the camera's ground, `[num_people]`."""
    return np.abs(log_relative_heights(boxes_xywh, camera)) <= INLIER_SDS * LOG_HEIGHT_SD


def height_residual(boxes_xywh: Boxes, camera: Camera) -> float:
    """Relative standard deviation of people's heights for a camera; at least one box, all of them inliers."""
    return float(log_relative_heights(boxes_xywh, camera).std())


def _check_boxes(boxes_xywh: Boxes) -> None:
    if len(boxes_xywh) < 2 or not (np.isfinite(boxes_xywh).all() and (boxes_xywh[:, 2:] > 0).all()):
        raise DensityError("the boxes cannot be used for calibration; give 2 or more finite boxes with a size above 0")


def _coarse_pitches() -> FloatArray:
    """Pitches of the first pass in radians, `[num_pitches]`."""
    first, last, step = np.radians(PITCH_RANGE_DEG)
    return np.arange(first, last + step / 2, step)


def _feet_and_head_rows(boxes_xywh: Boxes, size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Rows of feet and heads relative to the image centre in pixels, `[num_people]` each, of at most `MAX_PEOPLE`."""
    if len(boxes_xywh) > MAX_PEOPLE:
        order = np.argsort(boxes_xywh[:, 1] + boxes_xywh[:, 3], kind="stable")
        boxes_xywh = boxes_xywh[order[np.linspace(0, len(order) - 1, MAX_PEOPLE).astype(int)]]
    heads = boxes_xywh[:, 1] - size[0] / 2
    return heads + boxes_xywh[:, 3], heads


def _fine_pitches(
    feet: FloatArray, heads: FloatArray, focal: float, coarse: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pitches near the best coarse ones, their log camera heights and their scores."""
    _, scores = _scores(feet, heads, focal, coarse)
    step = coarse[1] - coarse[0]
    likely = coarse[scores > scores.max() - 8]
    fine = np.arange(likely.min() - step, likely.max() + step, step / FINE_STEPS)
    log_heights, fine_scores = _scores(feet, heads, focal, fine)
    return fine, log_heights, fine_scores


def _scores(feet: FloatArray, heads: FloatArray, focal: float, pitches: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log camera height and log probability, up to a constant, of each pitch, `[num_pitches]` each."""
    foot_tangents = np.tan(pitches[:, None] + np.arctan(feet / focal))
    head_angles = pitches[:, None] + np.arctan(heads / focal)
    valid = (foot_tangents > MIN_TANGENT) & (np.tan(head_angles) < foot_tangents)
    ratios = np.where(valid, 1 - np.tan(head_angles) / np.where(valid, foot_tangents, 1.0), 1.0)  # H / C
    slopes = 1 / (np.cos(head_angles) ** 2 * np.abs(foot_tangents) * ratios * focal * (1 + (heads / focal) ** 2))
    estimates = math.log(MEAN_HEIGHT_M) - np.log(ratios)  # of log C, from each person alone
    peak = (1 - OUTLIER_FRACTION) / (LOG_HEIGHT_SD * math.sqrt(2 * math.pi)) * np.where(valid, slopes, 0.0)
    outlier = OUTLIER_FRACTION * OUTLIER_DENSITY / (feet - heads)
    mean, sd = LOG_CAMERA_HEIGHT_PRIOR
    log_heights = np.median(np.where(valid, estimates, mean), axis=1)
    for _ in range(NUM_ITERATIONS):
        inlier = peak * np.exp(-0.5 * ((estimates - log_heights[:, None]) / LOG_HEIGHT_SD) ** 2)
        responsibility = inlier / (inlier + outlier)
        precision = responsibility.sum(axis=1) / LOG_HEIGHT_SD**2 + 1 / sd**2
        log_heights = ((responsibility * estimates).sum(axis=1) / LOG_HEIGHT_SD**2 + mean / sd**2) / precision
    inlier = peak * np.exp(-0.5 * ((estimates - log_heights[:, None]) / LOG_HEIGHT_SD) ** 2)
    prior = -0.5 * ((log_heights - mean) / sd) ** 2
    return log_heights, np.log(inlier + outlier).sum(axis=1) + prior - 0.5 * np.log(precision)
