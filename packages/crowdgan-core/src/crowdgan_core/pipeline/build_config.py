"""Options and settings of a dataset build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.pipeline.image_job import ImageJob, Region
from crowdgan_core.pipeline.reading import ErrorPolicy, ReadConfig
from crowdgan_core.pipeline.skipping import SkipPolicy
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.flags import flag


@dataclass(frozen=True, kw_only=True)
class BuildOptions(ReadConfig):
    """Options of a dataset build that a user sets directly."""

    dest: Path = flag("--dest", help="Output dataset: {output_formats}.")
    """The dataset appears there when it is complete."""

    region: Region = flag(
        "--region", default="crop", help="Region to measure: the crop seen by the network, or the full image."
    )

    label_kind: Literal["class", "value"] = flag(
        "--label-kind", default="class", help="Label type: class index or density value."
    )

    on_unknown: ErrorPolicy = flag(
        "--on-unknown", default="skip", help="How to handle images whose density cannot be estimated."
    )

    plot_dir: Path | None = flag("--plot", default=None, help="Write density overlays to this folder.")

    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite the output if it exists.")

    shard_size: int | None = flag(
        "--shard-size",
        default=None,
        min=1,
        shown_default="by the number of images",
        help="Images per shard of NAME.shards.",
    )
    """None: a 64th of the images, from 64 to 1,000."""

    fast_decode: bool = flag(
        "--fast-decode",
        default=False,
        switch=True,
        help="Decode large JPEGs at reduced size (faster, pixels differ slightly).",
    )
    """The decoded size is at least twice the target size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard_size is not None and self.shard_size < 1:
            raise ConfigError(f"shard_size is {self.shard_size}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class BuildConfig(BuildOptions):
    """All settings of a dataset build."""

    format: DatasetFormat
    """Dataset format."""

    estimator: DensityEstimator | None = None
    """Density estimator; None keeps the labels of the source."""

    transform: ImageTransform = field(default_factory=ImageTransform)
    """Crop and resize, so that all images have one size."""

    plotter: ScenePlotter | None = None
    """Draws the density overlays."""

    def image_job(self, estimator: DensityEstimator | None) -> ImageJob:
        """The settings for each image, with the fitted estimator."""
        return ImageJob(
            transform=self.transform,
            format=self.format,
            estimator=estimator,
            region=self.region,
            fast_decode=self.fast_decode,
            plotter=self.plotter,
        )

    @property
    def skip_policy(self) -> SkipPolicy:
        """Handling of images that cannot be used."""
        return SkipPolicy(on_error=self.on_error, on_unknown=self.on_unknown)

    def count_images(self, source: SourceReader) -> int:
        """Number of images of the source that the build reads."""
        return min(len(source), self.max_images or len(source))
