"""Options of an evaluation: the images that metrics compare, and how they are generated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.flags import flag

Device = Literal["auto", "cpu", "cuda"]
"""Compute device; `auto` selects a GPU if available."""

DEFAULT_NUM_IMAGES = 1000
"""Generated images, unless the definition of a metric states another number: the size of one subset of KID.

The same on every device, so that values are comparable; a CPU generates them in minutes.
"""

DEFAULT_EXTRACTOR = "lite0"
"""Feature extractor of the default metrics: its weights are installed by pip."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Images to compare, and how they are generated and evaluated.

    Raises:
        ConfigError: both a model and a second set of images, or a number out of its range.
    """

    network: Path | None = flag("--network", default=None, help="Model file (NAME.safetensors) or pretrained model.")
    """Its images are compared with the real ones."""

    data: Path | None = flag(
        "--data", default=None, help="Real images: a dataset ({dataset_formats}), or images in a folder or ZIP file."
    )
    """Labels of generated images are drawn from those of the dataset."""

    against: Path | None = flag(
        "--against", default=None, help="Images to compare with --data instead of generated ones."
    )

    num_images: int | None = flag(
        "--num-images",
        default=None,
        min=1,
        shown_default=f"{DEFAULT_NUM_IMAGES}, official metrics 50000",
        help="Number of generated images.",
    )
    """None: the number in the definition of each metric, or `DEFAULT_NUM_IMAGES`."""

    features: str = flag(
        "--features", default=DEFAULT_EXTRACTOR, metavar="NAME", help="Feature extractor of the default metrics."
    )

    weights: tuple[str, ...] = flag(
        "--weights", default=(), metavar="[NAME=]FILE", help="Weights of feature extractor NAME (repeatable)."
    )
    """Without a name: the extractor whose weights file has this name, or that of `features`."""

    mirror: bool = flag(
        "--mirror", default=False, switch=True, help="Add mirrored copies of the real images (x-flips)."
    )

    seed: int = flag("--seed", default=0, min=0, help="Random seed: latents, labels, subsets.")

    batch_size: int = flag("--batch", default=16, min=1, help="Batch size for generation and features.")
    """The values do not depend on it, except for rounding."""

    device: Device = flag("--device", default="auto", help="Compute device; auto selects a GPU if available.")

    def __post_init__(self) -> None:
        if self.network is not None and self.against is not None:
            raise ConfigError("--network and --against are both given; compare --data with one of them")
        if self.against is not None and self.data is None:
            raise ConfigError("--against compares two sets of images; give the first one by --data")
        for name, minimum in (("num_images", 1), ("seed", 0), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ConfigError(f"{name} is {value}; it must be at least {minimum}")
