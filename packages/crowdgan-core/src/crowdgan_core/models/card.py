"""Model cards: metadata in the header of a `.safetensors` file, read without the weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crowdgan_core.errors import CheckpointError
from crowdgan_core.io import codec
from crowdgan_core.models.file_kind import check_model_file, explain_file

FORMAT_VERSION = 1
"""Version of the card format; other versions are rejected."""

MODEL_SUFFIX = ".safetensors"
"""Suffix of model files."""

CARD_KEY = "crowdgan"
"""Key of the card, as JSON, in the header's metadata."""

TRANSFORM_KEY = "transform"
"""Key in the provenance of the crop and size of the training images, for example `center-crop 64x64`."""

LENGTH_BYTES = 8
"""Size of the header length at the start of a safetensors file: unsigned, little-endian (safetensors specification)."""

MAX_HEADER_BYTES = 100_000_000
"""Maximum header length in the safetensors library."""

LabelKind = Literal["class", "value"]


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Metadata of a model: backend, image size, and meaning of the labels.

    Raises:
        CheckpointError: inconsistent values.
    """

    backend: str
    """Name of the backend that loads the model, for example `stylegan3`."""

    resolution: tuple[int, int]
    """`(height, width)` of the images in pixels."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings from which the backend builds the network, JSON-ready."""

    label_dim: int = 0
    """Length of the label vector; 0 for a model without labels."""

    label_kind: LabelKind | None = None
    """Label type: `class` (one-hot) or `value` (continuous density, or a vector of numbers); None without labels."""

    classes: tuple[str, ...] = ()
    """Class names in order of density; empty without classes."""

    unit: str | None = None
    """Unit of the density."""

    label_range: tuple[float, float] | None = field(default=None, metadata=codec.omitted_default())
    """Lowest and highest density in the training data, for continuous labels of one number; None if unknown."""

    labelling: Mapping[str, Any] = field(default_factory=dict)
    """Density estimation of the training data: estimator, options, region; JSON-ready."""

    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Origin of the model: training data, tool version, training length; JSON-ready."""

    def __post_init__(self) -> None:
        if min(self.resolution) < 1:
            raise CheckpointError(f"resolution is {self.resolution}; both sides must be at least 1 px")
        if self.label_dim < 0:
            raise CheckpointError(f"label_dim is {self.label_dim}; it must be at least 0")
        if (self.label_kind is None) != (self.label_dim == 0):
            raise CheckpointError(f"label_dim is {self.label_dim} with label_kind {self.label_kind}")
        if self.classes and self.label_kind != "class":
            raise CheckpointError(
                f"{len(self.classes)} classes with label_kind {self.label_kind}; only label_kind class has classes"
            )
        if self.classes and len(self.classes) != self.label_dim:
            raise CheckpointError(f"{len(self.classes)} classes with label_dim {self.label_dim}")
        if self.label_range is not None and (self.label_kind, self.label_dim) != ("value", 1):
            raise CheckpointError("label_range is only for continuous labels of one number")
        if self.label_range is not None and self.label_range[0] > self.label_range[1]:
            raise CheckpointError(f"label_range is {self.label_range}; the first value must not exceed the second")
        if len(set(self.classes)) != len(self.classes):
            raise CheckpointError(f"classes are {', '.join(self.classes)}; names must be unique")

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values, starting with the format version."""
        return {"format": FORMAT_VERSION, **codec.to_json(self)}

    @classmethod
    def from_json(cls, data: object) -> ModelCard:
        """The card from JSON values.

        Raises:
            CheckpointError: a key is missing or unknown, a value has the wrong type, or the format is a later one.
        """
        if not isinstance(data, dict):
            raise CheckpointError(f"model card: found {type(data).__name__}; it must be a JSON object")
        version = data.get("format")
        if version != FORMAT_VERSION:
            raise CheckpointError(f"model card: format is {version!r}; this version reads format {FORMAT_VERSION}")
        values = {key: value for key, value in data.items() if key != "format"}
        return codec.from_json(cls, values, "model card", CheckpointError)


def read_card(path: Path) -> ModelCard:
    """The model card in the header of a model file; the weights are not read.

    Raises:
        CheckpointError: the file cannot be read, is not a safetensors file, is truncated, or has no card; the message
            says what the file is if its kind is known.
    """
    check_model_file(path)
    metadata = _header(path).get("__metadata__", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get(CARD_KEY), str):
        raise CheckpointError(
            f"{path}: not a crowdgan model; the safetensors file has no model card in its header, {_advice(metadata)}"
        )
    try:
        return ModelCard.from_json(json.loads(metadata[CARD_KEY]))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the model card is not valid JSON ({error})") from error


def _advice(metadata: object) -> str:
    """Advice for a safetensors file without a card, as the end of a message."""
    if isinstance(metadata, dict) and any(str(key).startswith(f"{CARD_KEY}-") for key in metadata):
        return "but a part of a training run; export a model from the run: crowdgan stylegan3 export"
    return (
        "only weights; without the settings of their network they cannot be used: "
        "save them by crowdgan, or import the official snapshot (.pkl) from which they come"
    )


def _header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file.

    Source: safetensors specification: 8 bytes with the header length, the header as JSON, the weights.
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
        explanation = explain_file(path) or "not a model, or damaged; a model is a .safetensors file"
        raise CheckpointError(f"{path}: {explanation}")
    expected_size = LENGTH_BYTES + length + _weights_bytes(header)
    if size != expected_size:
        raise CheckpointError(f"{path}: damaged; the file has {size} bytes, its header specifies {expected_size}")
    return header


def _weights_bytes(header: Mapping[str, Any]) -> int:
    """Length of the weights according to the header, whose other errors the reader of the weights reports."""
    tensors = (entry for name, entry in header.items() if name != "__metadata__" and isinstance(entry, dict))
    spans: list[Any] = [entry.get("data_offsets") for entry in tensors]
    return max((span[1] for span in spans if _is_pair(span)), default=0)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_count(item) for item in value)
