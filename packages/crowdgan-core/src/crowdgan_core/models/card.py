"""The card of a model: what a `*.safetensors` file says of itself in its header, read without loading its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from crowdgan_core.errors import CheckpointError

FORMAT = 1
"""Version of the card's form; readers refuse newer ones."""

MODEL_SUFFIX = ".safetensors"
"""Ends the name of a model file."""

CARD_KEY = "crowdgan"
"""Key under which the header's metadata holds the card, as JSON."""

LENGTH_BYTES = 8
"""Bytes at the start of a safetensors file: the length of its header, unsigned, little endian (its specification)."""

MAX_HEADER_BYTES = 100_000_000
"""Longest header that safetensors itself reads."""

LabelKind = Literal["class", "value"]


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model is, and what its labels mean.

    Raises:
        CheckpointError: values that contradict one another.
    """

    backend: str
    """Name of the backend that loads it, for example `stylegan3`."""

    resolution: tuple[int, int]
    """`(height, width)` of its images in pixels."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that the backend needs to build the network, JSON-ready."""

    label_dim: int = 0
    """Length of the label vector; 0 for a model without labels."""

    label_kind: LabelKind | None = None
    """Whether a label is a class (one-hot), or the density itself; None without labels."""

    classes: tuple[str, ...] = ()
    """Names of the classes, from the least to the most crowded; empty without classes."""

    unit: str | None = None
    """Unit of the density that the labels stand for."""

    labelling: Mapping[str, Any] = field(default_factory=dict)
    """How the labels of the training data were measured: estimator, options, region; JSON-ready."""

    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the model comes from: data, tool version, images seen; JSON-ready."""

    def __post_init__(self) -> None:
        if min(self.resolution) < 1:
            raise CheckpointError(f"model card: resolution is {self.resolution}; both sides must be at least 1 px")
        if (self.label_kind is None) != (self.label_dim == 0):
            raise CheckpointError(f"model card: label_dim is {self.label_dim} with label_kind {self.label_kind}")
        if self.classes and self.label_kind != "class":
            raise CheckpointError(f"model card: it has classes with label_kind {self.label_kind}")
        if self.classes and len(self.classes) != self.label_dim:
            raise CheckpointError(f"model card: {len(self.classes)} classes with label_dim {self.label_dim}")
        if len(set(self.classes)) != len(self.classes):
            raise CheckpointError(f"model card: classes are {', '.join(self.classes)}; no two may have the same name")

    def to_json(self) -> dict[str, Any]:
        """The card as JSON-ready values."""
        return {
            "format": FORMAT,
            "backend": self.backend,
            "resolution": list(self.resolution),
            "label_dim": self.label_dim,
            "label_kind": self.label_kind,
            "classes": list(self.classes),
            "unit": self.unit,
            "labelling": dict(self.labelling),
            "settings": dict(self.settings),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, data: Any) -> ModelCard:
        """The card in JSON values.

        Raises:
            CheckpointError: a value is missing or of the wrong kind, or the form is newer than this one.
        """
        _check(isinstance(data, dict), "is no mapping")
        version = data.get("format")
        _check(version == FORMAT, f"has format {version!r}; this version of crowdgan reads {FORMAT}")
        resolution, classes = data.get("resolution"), data.get("classes", [])
        _check(_is_pair(resolution), f"has resolution {resolution!r}; it must be [height, width]")
        _check(isinstance(data.get("backend"), str), "names no backend")
        _check(_is_count(data.get("label_dim")), f"has label_dim {data.get('label_dim')!r}; it must be a whole number")
        kind = data.get("label_kind")
        _check(kind is None or kind in get_args(LabelKind), f"has label_kind {kind!r}; it must be class or value")
        _check(isinstance(classes, list) and all(isinstance(name, str) for name in classes), "has bad class names")
        _check(data.get("unit") is None or isinstance(data["unit"], str), "has a unit that is no text")
        for name in ("labelling", "settings", "provenance"):
            _check(isinstance(data.get(name, {}), dict), f"has {name} that are no mapping")
        return cls(
            backend=data["backend"],
            resolution=(resolution[0], resolution[1]),
            settings=data.get("settings", {}),
            label_dim=data["label_dim"],
            label_kind=kind,
            classes=tuple(classes),
            unit=data.get("unit"),
            labelling=data.get("labelling", {}),
            provenance=data.get("provenance", {}),
        )


def read_card(path: Path) -> ModelCard:
    """The card in the header of a model file; its weights are not read.

    Raises:
        CheckpointError: the file cannot be read, is no safetensors file, is cut off, or has no card.
    """
    metadata = _header(path).get("__metadata__", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get(CARD_KEY), str):
        raise CheckpointError(f"{path}: a safetensors file, but not a model of crowdgan: it has no card in its header")
    try:
        return ModelCard.from_json(json.loads(metadata[CARD_KEY]))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its model card is damaged ({error})") from error


def _header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file.

    Source: the safetensors format: 8 bytes with the header's length, then the header as JSON, then the weights.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            text = file.read(length) if length <= MAX_HEADER_BYTES else b""
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        header = json.loads(text) if len(text) == length else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: no model file, or a damaged one; a model is a .safetensors file")
    announced = LENGTH_BYTES + length + _weights_bytes(header)
    if size != announced:
        raise CheckpointError(f"{path}: damaged, it has {size} bytes where its header announces {announced}")
    return header


def _weights_bytes(header: Mapping[str, Any]) -> int:
    """Length of the weights that a header announces; what is wrong with it otherwise, their reader finds."""
    tensors = (entry for name, entry in header.items() if name != "__metadata__" and isinstance(entry, dict))
    spans: list[Any] = [entry.get("data_offsets") for entry in tensors]
    return max((span[1] for span in spans if _is_pair(span)), default=0)


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise CheckpointError(f"model card: it {problem}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_count(item) for item in value)
