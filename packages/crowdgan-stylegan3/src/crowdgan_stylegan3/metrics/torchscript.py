"""Feature extractors with networks in TorchScript files that the user provides. Importing this loads no torch."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from crowdgan_core.errors import CheckpointError
from crowdgan_core.metrics.extractor import FeatureExtractor, WeightsFile
from crowdgan_stylegan3.metrics.weights_files import checked_path, weights_sha256

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

OFFICIAL_FOLDER = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics"
"""Folder of the networks of the official tools."""


class TorchScriptExtractor(FeatureExtractor):
    """A network in a TorchScript file, which is loaded after a check of its SHA-256, and without Python's pickle."""

    weights_file: ClassVar[WeightsFile]

    def __init__(self, network: torch.nn.Module, device: torch.device, sha256: str) -> None:
        self._network, self._device, self._sha256 = network, device, sha256

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> Self:
        """Loads the network.

        Args:
            weights: the file.
            device: `auto`, `cpu` or `cuda`.

        Raises:
            ConfigError: the file is missing, or the device is not available.
            CheckpointError: the file is truncated, damaged or another one.
        """
        from crowdgan_stylegan3.device import resolve_device

        torch_device = resolve_device(device)
        path = checked_path(weights, cls.weights_file)
        return cls(cls._load_network(path).to(torch_device), torch_device, weights_sha256(path))

    @classmethod
    def _load_network(cls, path: Path) -> torch.nn.Module:
        return load_network(path)

    @property
    def fingerprint(self) -> str:
        """Name and hash of the weights; the network contains the preprocessing."""
        return f"{self.name} {self._sha256}"


def load_network(path: Path) -> torch.nn.Module:
    """The network in a TorchScript file, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: the file is not a TorchScript file.
    """
    import torch

    load: Callable[..., torch.nn.Module] = torch.jit.load
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the official files have no other format
            return load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{path}: not a TorchScript file: {reason}") from error


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, rather than one of arrays or in another format."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())
