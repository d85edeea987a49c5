"""Images from a generator, by seed: what `crowdgan generate` calls."""

from __future__ import annotations

import torch

from crowdgan_core.errors import ConfigError


def resolve_device(name: str) -> torch.device:
    """The device of a name: auto, cpu or cuda.

    Raises:
        ConfigError: another name, or no GPU where one is asked for.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {name}; it must be auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device is cuda, but PyTorch finds no GPU; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and available else "cpu")
