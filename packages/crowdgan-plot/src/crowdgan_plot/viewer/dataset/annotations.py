"""Boxes of people and density estimates of the images of a dataset, from the source of the dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from crowdgan_core.api import NamedSource
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io import codec
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.pipeline.image_job import load_scene
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import TRANSFORMS, CropGeometry, ImageTransform
from crowdgan_core.sources.base import AnnotatedImage
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import format_size, parse_size
from crowdgan_plot.density.overlay_plotter import OverlayPlotter
from crowdgan_plot.density.scene_boxes import DrawnBoxes

NO_SOURCE = "crowdgan view DATASET --source SOURCE shows boxes and the density estimate"


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageBoxes(DrawnBoxes):
    """Boxes in one image of a dataset, in its pixels."""

    size: tuple[int, int]
    """`(height, width)` of the image."""

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values, rounded to 0.1 px."""
        arrays = {"people": self.people, "ignore_regions": self.ignore_regions, "heads": self.heads}
        return {"size": list(self.size), **{name: array.round(1).tolist() for name, array in arrays.items()}}


class ImageAnnotations:
    """Boxes and density estimates of the images of a dataset. The methods are called in one thread.

    Images are matched with those of the source by their source names. The source is read when it is first needed.

    Args:
        reader: the dataset.
        source: the source of the dataset; None if it is not given.
    """

    def __init__(self, reader: DatasetReader, source: NamedSource | None) -> None:
        self._reader, self._source = reader, source
        self.boxes_problem = _problem(self._check_boxes)
        """Why no boxes can be shown; None if they can."""
        self.estimate_problem = self.boxes_problem or _problem(lambda: self._estimator)
        """Why no density estimates can be shown; None if they can."""

    def boxes(self, index: int) -> ImageBoxes:
        """The boxes in one image.

        Raises:
            ConfigError: boxes cannot be shown, see `boxes_problem`.
            DatasetError: the image is not in the source, is damaged, or has another size than its source gives.
        """
        scene, _, geometry = self._load(index)
        return _boxes_in_crop(self._transform.scene(scene, geometry), geometry)

    def estimate_figure(self, index: int) -> bytes:
        """The figure of the density estimate of one image, as `crowdgan plot density` draws it, a PNG file.

        Raises:
            ConfigError: estimates cannot be shown, see `estimate_problem`.
            DatasetError: as for `boxes`.
            PluginError: an exception in the code of the estimator.
        """
        estimator = self._estimator
        scene, stored, geometry = self._load(index)
        image = to_upright_rgb(stored, f"image {scene.source_name}")
        pixels: ImageArray = np.asarray(image)
        if self._reader.metadata.region != "full":
            pixels = self._transform.pixels(image, geometry.before_resizing())
            scene = self._transform.scene(scene, geometry)
        return OverlayPlotter().draw(pixels, scene, estimator)

    def _load(self, index: int) -> tuple[Scene, Image.Image, CropGeometry]:
        """The full scene of an image, its stored image, not decoded yet, and the geometry of its crop."""
        self._check_boxes()
        annotated = self._annotated_image(index)
        scene, stored = load_scene(annotated)
        geometry = self._transform.geometry(scene.size)
        size = self._reader.image_size(index)
        if geometry.canvas_size != size:
            raise DatasetError(
                f"image {annotated.source_name}: the transform {self._transform} gives "
                f"{format_size(geometry.canvas_size)} px, but the image of the dataset has {format_size(size)} px; "
                "name the source that the dataset was made from"
            )
        return scene, stored, geometry

    def _annotated_image(self, index: int) -> AnnotatedImage:
        """The image in the source."""
        record = self._reader.metadata.images[index]
        if record.source is None:
            raise DatasetError(f"{record.name}: the dataset does not state the name of the source image")
        if record.source not in self._source_images:
            raise DatasetError(f"{record.name}: the source has no image {record.source}")
        return self._source_images[record.source]

    def _check_boxes(self) -> None:
        """Checks that boxes can be shown."""
        if self._source is None:
            raise ConfigError(NO_SOURCE)
        if not self._source.has_annotations:
            raise ConfigError(f"{self._source.name} has no annotations of people")
        stated_transform(self._reader.metadata.transform)

    @cached_property
    def _source_images(self) -> Mapping[str, AnnotatedImage]:
        """The images of the source by name."""
        assert self._source is not None
        return {image.source_name: image for image in self._source}

    @cached_property
    def _transform(self) -> ImageTransform:
        return stated_transform(self._reader.metadata.transform)

    @cached_property
    def _estimator(self) -> DensityEstimator:
        return recreate_estimator(self._reader.metadata)


def stated_transform(text: str | None) -> ImageTransform:
    """The transform that the metadata of a dataset state, for example `center-crop 256x256`.

    Raises:
        ConfigError: there is none, there are several, or it is unknown.
    """
    if text is None:
        raise ConfigError("the dataset does not state how its images were cropped, so boxes cannot be shown")
    if ", then " in text:
        raise ConfigError(f"the images were transformed more than once ({text}), so boxes cannot be shown")
    name, _, size = text.partition(" ")
    known = next((item for item in TRANSFORMS if item == name), None)
    if known is None:
        raise ConfigError(f"the transform of the dataset is unknown ({text}), so boxes cannot be shown")
    try:
        return ImageTransform(name=known, size=parse_size(size) if size else None)
    except ValueError as error:
        raise ConfigError(f"the transform of the dataset is invalid ({error}), so boxes cannot be shown") from error


def recreate_estimator(metadata: DatasetMetadata) -> DensityEstimator:
    """The estimator of a dataset with its options and fitted values.

    Raises:
        ConfigError: the dataset has no densities, the estimator is not installed, or it has other options.
    """
    name = metadata.estimator
    if name is None:
        raise ConfigError("the dataset has no densities")
    known = installed_plugins().density_estimators
    if name not in known:
        raise ConfigError(f"the density estimator {name} is not installed")
    estimator_class: Any = known[name]
    computed = {item.name for item in fields(estimator_class) if not item.init}
    options = {key: value for key, value in metadata.options.items() if key not in computed}
    estimator: DensityEstimator = codec.from_json(estimator_class, options, f"options of {name}", ConfigError)
    return estimator


def _problem(check: Callable[[], object]) -> str | None:
    """The message of the error that a check raises; None if it raises none."""
    try:
        check()
    except ConfigError as error:
        return str(error)
    return None


def _boxes_in_crop(scene: Scene, geometry: CropGeometry) -> ImageBoxes:
    """The boxes of the scene of a crop, after resizing and padding."""
    (scale_x, scale_y), (left, top) = geometry.scale_xy, geometry.padding_xy
    scale, offset = np.array([scale_x, scale_y, scale_x, scale_y]), np.array([left, top, 0, 0])
    drawn = DrawnBoxes.of_scene(scene)
    return ImageBoxes(
        size=geometry.canvas_size,
        people=drawn.people * scale + offset,
        ignore_regions=drawn.ignore_regions * scale + offset,
        heads=drawn.heads * scale[:2] + offset[:2],
    )
