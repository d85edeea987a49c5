"""Values that tests are compared with; `tests/golden/data/README.md` describes the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RECORDED = Path(__file__).resolve().parents[1] / "golden" / "data"
"""Folder of the recorded values."""

STATE_PREFIX = "state/"

Arrays = dict[str, npt.NDArray[Any]]
"""Arrays by name."""


def load_arrays(name: str) -> Arrays:
    """All arrays of a file, for example of `ops/upfirdn2d_0`."""
    with np.load(RECORDED / f"{name}.npz") as file:
        return dict(file)


def load_json(name: str) -> Any:
    """Contents of a JSON file, for example of `metrics/metrics`."""
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def network_config(arrays: Arrays) -> dict[str, Any]:
    """Settings of the constructor of a recorded network."""
    config: dict[str, Any] = json.loads(str(arrays["config"]))
    return config


def network_state(arrays: Arrays) -> Arrays:
    """Parameters and buffers of a recorded network, by the published names."""
    return {name.removeprefix(STATE_PREFIX): array for name, array in arrays.items() if name.startswith(STATE_PREFIX)}
