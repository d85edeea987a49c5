"""What is done with one image: open it, measure its density, crop and resize it, encode it. Runs in workers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from crowdgan_core.datasets.metadata import ImageRecord
from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import CrowdganError, DensityError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.io.images import focal_length_35mm, orientation, to_upright_rgb
from crowdgan_core.scenes.camera import focal_length_px
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import CropGeometry, ImageTransform, rotate_annotations
from crowdgan_core.sources.base import AnnotatedImage

Region = Literal["crop", "full"]

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""

FAST_DECODE_MARGIN = 2
"""A JPEG that is decoded at a reduced size keeps at least this multiple of the target."""


@dataclass(frozen=True, kw_only=True)
class ImageJob:
    """How each image of a dataset is made; picklable, sent to the workers."""

    transform: ImageTransform
    format: DatasetFormat
    estimator: DensityEstimator | None = None
    region: Region = "crop"
    fast_decode: bool = False
    plotter: ScenePlotter | None = None


@dataclass(frozen=True, kw_only=True)
class ProcessedImage:
    """An image that is ready to be stored."""

    source_name: str
    encoded: bytes
    size: tuple[int, int]
    """`(height, width)` in pixels."""
    person_count: int
    density: DensityEstimate | None
    record: ImageRecord | None
    """What the source itself says of the image."""
    plot: bytes | None = None
    """The overlay image, a PNG file."""


@dataclass(frozen=True, kw_only=True)
class SkippedImage:
    """An image that cannot be used, and why."""

    source_name: str
    kind: Literal["damaged or unfit images", "density cannot be told"]
    reason: str


def load_full_scene(annotated: AnnotatedImage) -> Scene | SkippedImage:
    """The scene of the whole photograph. Decodes no pixels."""
    try:
        return load_scene(annotated)[0]
    except CrowdganError as error:
        return _unusable(annotated, error)


def measured_scene(work: ImageJob, annotated: AnnotatedImage) -> Scene | SkippedImage:
    """The scene whose density counts: the crop's, or the whole photograph's. Decodes no pixels."""
    try:
        scene = load_scene(annotated)[0]
        return _measured(work, scene, work.transform.geometry(scene.size))
    except CrowdganError as error:
        return _unusable(annotated, error)


def process_image(work: ImageJob, annotated: AnnotatedImage) -> ProcessedImage | SkippedImage:
    """One image of the dataset with its density."""
    try:
        scene, image = load_scene(annotated)
        geometry = work.transform.geometry(scene.size)
        measured = _measured(work, scene, geometry)
        density = work.estimator.estimate(measured) if work.estimator is not None else None
        if density is not None and density.reason is not None:
            return _unknown(annotated, density.reason)
        if work.fast_decode:
            geometry = _reduce(image, geometry)
        upright = to_upright_rgb(image, annotated.image.where)
        pixels = work.transform.pixels(upright, geometry)
        plot = None
        if work.plotter is not None and work.estimator is not None and density is not None:
            shown = (
                pixels
                if work.region == "crop"
                else ImageTransform().pixels(upright, ImageTransform().geometry(scene.size))
            )
            plot = work.plotter.draw(shown, measured, work.estimator, density)
        return ProcessedImage(
            source_name=annotated.source_name,
            encoded=work.format.encode(pixels),
            size=geometry.canvas_size,
            person_count=measured.person_count,
            density=density,
            record=annotated.record,
            plot=plot,
        )
    except DensityError as error:
        return _unknown(annotated, str(error))
    except CrowdganError as error:
        return _unusable(annotated, error)


def load_scene(annotated: AnnotatedImage) -> tuple[Scene, Image.Image]:
    """The scene in its upright pixels, and the stored image with its pixels not yet loaded."""
    image = annotated.image.open()
    stored_size = (image.height, image.width)
    turn = orientation(image)
    size = stored_size[::-1] if turn in SIDEWAYS else stored_size
    focal_35mm = focal_length_35mm(image)
    scene = Scene.from_annotations(
        rotate_annotations(annotated.people, stored_size, turn),
        source_name=annotated.source_name,
        size=size,
        focal_length_px=focal_length_px(focal_35mm, size) if focal_35mm is not None else None,
    )
    return scene, image


def _measured(work: ImageJob, scene: Scene, geometry: CropGeometry) -> Scene:
    return work.transform.scene(scene, geometry) if work.region == "crop" else scene


def _reduce(image: Image.Image, geometry: CropGeometry) -> CropGeometry:
    """Lets a JPEG be decoded at a half, a quarter or an eighth of its size where that leaves enough for the target.

    Returns:
        The same crop, in the pixels of the reduced image.
    """
    scale = min(1.0, FAST_DECODE_MARGIN * max(geometry.scale_xy))
    before = image.size
    image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    shares = (image.width / before[0], image.height / before[1])
    return geometry.reduced(*(shares[::-1] if orientation(image) in SIDEWAYS else shares))


def _unknown(annotated: AnnotatedImage, reason: str) -> SkippedImage:
    return SkippedImage(source_name=annotated.source_name, kind="density cannot be told", reason=reason)


def _unusable(annotated: AnnotatedImage, error: CrowdganError) -> SkippedImage:
    where, reason = annotated.image.where, str(error)
    named = reason if reason.startswith(where) else f"{where}: {reason}"
    return SkippedImage(source_name=annotated.source_name, kind="damaged or unfit images", reason=named)
