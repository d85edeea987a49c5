"""Contact sheet of the images whose measured density is nearest to and farthest from the request."""

from __future__ import annotations

import numpy as np
from PIL import Image

from crowdgan_core.metrics.fidelity_report import FidelityReport
from crowdgan_core.models.generation.captions import PAPER, CaptionBand
from crowdgan_core.models.generation.strips import add_captions, image_strip
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_density.fidelity.density_scale import DensityScale
from crowdgan_density.fidelity.image_sets import RequestedImages

NUM_COLUMNS = 4
"""Best and worst images of each class, each."""

TITLE_PX = 16
"""Font size of the titles."""


def best_worst_sheet(report: FidelityReport, images: RequestedImages, scale: DensityScale) -> Image.Image:
    """An image with one row per class: left the best images, right the worst, with requested and measured density.

    The error of an image is the mean over the predictors of the distance between the requested and the measured class.
    """
    errors = image_errors(report, scale)
    rows = []
    for index, name in enumerate(report.classes):
        members = [position for position, item in enumerate(report.measured) if item.requested_class == index]
        ranked = sorted(members, key=lambda position: errors[position])
        if ranked:
            count = min(NUM_COLUMNS, max(1, len(ranked) // 2))
            best, worst = ranked[:count], ranked[::-1][:count]
            rows.append(
                _title(f"{name}: best", f"{name}: worst", _strip(report, images, best), _strip(report, images, worst))
            )
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def image_errors(report: FidelityReport, scale: DensityScale) -> FloatArray:
    """Mean distance between requested and measured class of each image, `[num_images]`, in classes."""
    measured = np.array([item.measured for item in report.measured])
    positions = scale.class_position(scale.log(measured.ravel())).reshape(measured.shape)
    if scale.label_kind == "value":
        requested = scale.class_position(scale.log(np.array([item.requested for item in report.measured])))
    else:
        requested = np.array([float(item.requested_class) for item in report.measured])
    return np.asarray(np.abs(positions - requested[:, None]).mean(axis=1))


def _strip(report: FidelityReport, images: RequestedImages, indices: list[int]) -> Image.Image:
    captions = [_caption(report, index) for index in indices]
    return Image.fromarray(image_strip(add_captions([images.image(index) for index in indices], captions)))


def _caption(report: FidelityReport, index: int) -> tuple[str, str]:
    item = report.measured[index]
    requested = f"{item.requested:.3g}" if report.label_kind == "value" else report.classes[item.requested_class]
    return (f"{requested} requested", f"{' | '.join(f'{value:.3g}' for value in item.measured)} measured")


def _title(left: str, right: str, best: Image.Image, worst: Image.Image) -> Image.Image:
    """Two strips beside each other, each with a title above."""
    gap = 3 * TITLE_PX
    band = CaptionBand(best.width, TITLE_PX, 1)
    row = Image.new("RGB", (best.width + gap + worst.width, band.height_px + best.height), PAPER)
    for title, strip, x in ((left, best, 0), (right, worst, best.width + gap)):
        row.paste(band.draw((title,)), (x, 0))
        row.paste(strip, (x, band.height_px))
    return row
