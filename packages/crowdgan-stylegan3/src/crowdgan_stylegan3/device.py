"""Resolve a device name (auto, cpu, cuda) to a torch device."""

from __future__ import annotations

import torch

from crowdgan_core.errors import ConfigError

DEVICE_NAMES = ("auto", "cpu", "cuda")


def resolve_device(name: str) -> torch.device:
    """The torch device of a name; `auto` selects a GPU if one is available.

    Raises:
        ConfigError: the name is unknown, or no GPU is available for `cuda`.
    """
    if name not in DEVICE_NAMES:
        raise ConfigError(f"device is {name}; it must be auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device is cuda, but PyTorch finds no GPU; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and available else "cpu")
