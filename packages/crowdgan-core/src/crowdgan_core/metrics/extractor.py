"""The contract of feature extractors: networks that turn images into feature vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

FeatureArray = npt.NDArray[np.float32]
"""Features `[num_images, num_features]`."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of network weights that the user provides."""

    name: str
    """File name, for example `inception-2015-12-05.pt`."""

    sha256: tuple[str, ...]
    """SHA-256 of the accepted files, in hexadecimal."""

    source: str
    """Where to get the file: a URL, or a description."""


class FeatureExtractor(ABC):
    """A network that computes image features; `crowdgan_core.testing.check_feature_extractor` checks an implementation.

    Values of metrics with different extractors are not comparable.
    """

    name: ClassVar[str]
    """Name in `--features` and in metrics such as `kid_NAME`: lower-case letters, digits and hyphens."""

    description: ClassVar[str]
    """Network, the images it was trained on, and the size to which it resizes images."""

    weights_file: ClassVar[WeightsFile | None] = None
    """The weights that the user must provide; None if they are installed with a package."""

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """The reason why the extractor cannot be loaded, with the command that helps; None if it can be."""
        return None

    @classmethod
    @abstractmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> FeatureExtractor:
        """Loads the network.

        Args:
            weights: file of the weights; None for the installed ones.
            device: `auto`, `cpu` or `cuda`.

        Raises:
            ConfigError: the package with the weights or the device is not available, or the weights are missing.
            CheckpointError: the weights file is damaged, or its SHA-256 is not that of an accepted file.
        """

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Text that changes if the features of an image change: network, preprocessing, and hash of the weights."""

    @abstractmethod
    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, num_features]` of images `[num_images, height, width, 3]`, one row per image.

        The features of an image do not depend on the other images of the batch.
        """
