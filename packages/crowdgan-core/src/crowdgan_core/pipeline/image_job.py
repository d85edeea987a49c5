"""Processing of one image in a worker process: load, estimate the density, crop, resize, encode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from crowdgan_core.datasets.metadata import ImageRecord
from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.density.checked_calls import estimate_scene
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import CrowdganError, DensityError, PluginError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.io.images import TRANSPOSED_ORIENTATIONS, focal_length_35mm, orientation, to_upright_rgb
from crowdgan_core.scenes.camera import focal_length_px
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import CropGeometry, ImageTransform, rotate_annotations
from crowdgan_core.sources.base import AnnotatedImage
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.plugin_calls import plugin_call, require_result

Region = Literal["crop", "full"]
"""Measured part of an image: the crop that the network sees, or the full image."""

SkipCategory = Literal["unreadable or unsuitable images", "density cannot be estimated"]

UNUSABLE: SkipCategory = "unreadable or unsuitable images"
UNKNOWN_DENSITY: SkipCategory = "density cannot be estimated"

FLOAT_MODE = "F"
"""Pillow's mode of floating-point samples, whose range is not defined."""

FAST_DECODE_MARGIN = 2
"""Minimum size of a JPEG decoded at reduced size, as a multiple of the target size."""


@dataclass(frozen=True, kw_only=True)
class ImageJob:
    """Settings for processing every image of a dataset; picklable, sent to the worker processes."""

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
    """The source's own record of the image."""
    plot: bytes | None = None
    """The density overlay, a PNG file."""

    def write_plot(self, name: str, folder: Path | None) -> None:
        """Writes the density overlay, if there is one, to a folder under the name of the image in the dataset."""
        if self.plot is not None and folder is not None:
            write_bytes(folder / f"{Path(name).stem}.png", self.plot, overwrite=True)


@dataclass(frozen=True, kw_only=True)
class SkippedImage:
    """An image that is not used, and the reason."""

    source_name: str
    category: SkipCategory
    reason: str


def load_full_scene(annotated: AnnotatedImage) -> Scene | SkippedImage:
    """The scene of the full image. Decodes no pixels."""
    try:
        return load_scene(annotated)[0]
    except PluginError:
        raise
    except CrowdganError as error:
        return _unusable(annotated, error)


def load_measured_scene(job: ImageJob, annotated: AnnotatedImage) -> Scene | SkippedImage:
    """The scene of the region whose density is estimated: the crop, before resizing, or the full image.

    Decodes no pixels.
    """
    try:
        scene = load_scene(annotated)[0]
        return _measured_scene(job, scene, job.transform.geometry(scene.size))
    except PluginError:
        raise
    except CrowdganError as error:
        return _unusable(annotated, error)


def process_image(job: ImageJob, annotated: AnnotatedImage) -> ProcessedImage | SkippedImage:
    """One image of the dataset with its density.

    Raises:
        PluginError: an exception in a plugin's code, or an invalid result; such an image is never skipped.
    """
    try:
        scene, image = load_scene(annotated)
        geometry = job.transform.geometry(scene.size)
        measured = _measured_scene(job, scene, geometry)
        density = estimate_scene(job.estimator, measured) if job.estimator is not None else None
        if density is not None and density.reason is not None:
            return _unknown_density(annotated, density.reason)
        factors = _reduce(image, geometry) if job.fast_decode else (1.0, 1.0)
        upright = to_upright_rgb(image, annotated.image.where)
        pixels = job.transform.pixels(upright, geometry.rescale_input(*factors))
        measured_geometry = _measured_geometry(job, scene, geometry).rescale_input(*factors)
        return ProcessedImage(
            source_name=annotated.source_name,
            encoded=_encode(job.format, pixels, annotated),
            size=geometry.canvas_size,
            person_count=measured.person_count,
            density=density,
            record=annotated.record,
            plot=_plot(job, upright, measured, measured_geometry, density),
        )
    except PluginError:
        raise
    except DensityError as error:
        return _unknown_density(annotated, str(error))
    except CrowdganError as error:
        return _unusable(annotated, error)


def load_scene(annotated: AnnotatedImage) -> tuple[Scene, Image.Image]:
    """The scene in upright orientation, and the stored image, whose pixels are not loaded yet.

    Raises:
        DatasetError: the image cannot be read.
        PluginError: another exception in the code of the image handle, or a result that is not an image.
    """
    kind, provided = ("scene source", annotated.provider) if annotated.provider else ("image handle", annotated.image)
    where = f"opening image {annotated.source_name}"
    with plugin_call(kind, provided, where):
        image: Any = annotated.image.open()  # a plugin's types are not checked statically
    is_image = isinstance(image, Image.Image) and image.mode != FLOAT_MODE
    problem = f"open returned {image!r:.80}; it must return a Pillow image of 8-bit or 16-bit samples"
    require_result(is_image, kind, provided, where, problem)
    stored_size = (image.height, image.width)
    exif_orientation = orientation(image)
    size = stored_size[::-1] if exif_orientation in TRANSPOSED_ORIENTATIONS else stored_size
    focal_35mm = focal_length_35mm(image)
    scene = Scene.from_annotations(
        rotate_annotations(annotated.people, stored_size, exif_orientation),
        source_name=annotated.source_name,
        size=size,
        focal_length_px=focal_length_px(focal_35mm, size) if focal_35mm is not None else None,
    )
    return scene, image


def _measured_scene(job: ImageJob, scene: Scene, geometry: CropGeometry) -> Scene:
    """The scene of the measured region, in pixels of the full image."""
    return job.transform.scene(scene, geometry) if job.region == "crop" else scene


def _measured_geometry(job: ImageJob, scene: Scene, geometry: CropGeometry) -> CropGeometry:
    """The geometry of the measured region, without resizing."""
    return geometry.before_resizing() if job.region == "crop" else ImageTransform().geometry(scene.size)


def _plot(
    job: ImageJob, upright: Image.Image, measured: Scene, geometry: CropGeometry, density: DensityEstimate | None
) -> bytes | None:
    """The density overlay over the measured region; None without a plotter."""
    if job.plotter is None or job.estimator is None or density is None:
        return None
    where = f"image {measured.source_name} with the estimator {job.estimator.name}"
    with plugin_call("scene plotter", job.plotter, where):
        plot = job.plotter.draw(job.transform.pixels(upright, geometry), measured, job.estimator, density)
    _require_bytes(plot, "scene plotter", job.plotter, where)
    return plot


def _encode(dataset_format: DatasetFormat, pixels: ImageArray, annotated: AnnotatedImage) -> bytes:
    """The image as a file of the dataset format."""
    where = f"image {annotated.source_name}"
    with plugin_call("dataset format", dataset_format, where):
        encoded = dataset_format.encode(pixels)
    _require_bytes(encoded, "dataset format", dataset_format, where)
    return encoded


def _require_bytes(data: object, kind: str, provided: object, where: str) -> None:
    is_bytes = isinstance(data, bytes)
    require_result(is_bytes, kind, provided, where, f"it returned {type(data).__name__}; it must return bytes")


def _reduce(image: Image.Image, geometry: CropGeometry) -> tuple[float, float]:
    """Lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its size if at least `FAST_DECODE_MARGIN` times the target remains.

    Returns:
        The factors by which the width and height of the upright image become smaller.
    """
    scale = min(1.0, FAST_DECODE_MARGIN * max(geometry.scale_xy))
    width, height = image.size
    image.draft("RGB", (math.ceil(width * scale), math.ceil(height * scale)))
    factors = (image.width / width, image.height / height)
    return factors[::-1] if orientation(image) in TRANSPOSED_ORIENTATIONS else factors


def _unknown_density(annotated: AnnotatedImage, reason: str) -> SkippedImage:
    return SkippedImage(source_name=annotated.source_name, category=UNKNOWN_DENSITY, reason=reason)


def _unusable(annotated: AnnotatedImage, error: CrowdganError) -> SkippedImage:
    where, message = annotated.image.where, str(error)
    reason = message if message.startswith(where) else f"{where}: {message}"
    return SkippedImage(source_name=annotated.source_name, category=UNUSABLE, reason=reason)
