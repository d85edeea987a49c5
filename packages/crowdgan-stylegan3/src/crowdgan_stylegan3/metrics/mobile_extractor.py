"""Feature extractors with networks of inverted residual blocks. Importing this module loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import CheckpointError
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor
from crowdgan_stylegan3.metrics.mobile_layout import Layout
from crowdgan_stylegan3.metrics.weights_files import InstalledWeights

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from typing_extensions import Self

    from crowdgan_stylegan3.metrics.mobile_network import MobileNetwork

INPUT_SIZE = 224
"""Side of the input images in pixels."""

RGB = tuple[float, float, float]


class MobileExtractor(FeatureExtractor):
    """A network with installed weights: 1280 features, the mean over all positions of its last layer.

    Images of any size and aspect ratio are resized to 224x224 by bicubic interpolation with antialiasing, so that
    features do not depend on aliasing (Parmar et al., "On Aliased Resizing and Surprising Subtleties in GAN
    Evaluation", 2022).
    """

    installed_weights: ClassVar[InstalledWeights]
    """The weights."""

    layout: ClassVar[Layout]
    """The network."""

    mean: ClassVar[RGB]
    """Value of each channel, 0 to 255, that the network receives as 0."""

    scale: ClassVar[RGB]
    """Difference of each channel, 0 to 255, that the network receives as 1."""

    def __init__(self, network: MobileNetwork, device: torch.device) -> None:
        self._network, self._device = network, device

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """That the package with the weights is not installed, with the command that installs it; None if it is."""
        return cls.installed_weights.unavailable_reason()

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> Self:
        """Loads the network.

        Args:
            weights: another copy of the installed file; None for the installed one.
            device: `auto`, `cpu` or `cuda`.

        Raises:
            ConfigError: the package with the weights is not installed, or the device is not available.
            CheckpointError: the weights file is damaged or another one.
        """
        import torch

        from crowdgan_stylegan3.device import resolve_device
        from crowdgan_stylegan3.metrics.mobile_network import MobileNetwork

        torch_device = resolve_device(device)
        path = cls.installed_weights.checked_path(weights)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            network = MobileNetwork(state, cls.layout).eval()
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"{path}: not the weights of {cls.name}: {error}") from error
        return cls(network.to(torch_device), torch_device)

    @property
    def fingerprint(self) -> str:
        """Name, preprocessing and hash of the weights."""
        return f"{self.name} {INPUT_SIZE} bicubic antialias {self.installed_weights.sha256}"

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, 1280]` of images `[num_images, height, width, 3]`, one row per image.

        The features of an image do not depend on the other images of the batch.
        """
        from crowdgan_stylegan3.metrics.batches import extract_in_batches

        return extract_in_batches(images, self._device, lambda batch: self._network(self._input(batch)))

    def _input(self, images: Tensor) -> Tensor:
        """Input of the network, `[N, 3, 224, 224]`, of images `[N, 3, height, width]`, uint8."""
        import torch

        x = images.float()
        x = torch.nn.functional.interpolate(x, (INPUT_SIZE, INPUT_SIZE), mode="bicubic", antialias=True).clamp(0, 255)
        mean, scale = (torch.tensor(values, device=x.device)[:, None, None] for values in (self.mean, self.scale))
        return ((x - mean) / scale).contiguous(memory_format=torch.channels_last)
