"""The model file: a safetensors file with a model card in its header, written and read without further libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import CARD_KEY, LabelKind, ModelCard, read_card

BACKEND = "blobs"

CLASSES = ("sparse", "medium", "dense")

MAX_BLOBS = 48
"""Maximum number of blobs in an image."""

BLOBS_PER_LABEL: dict[LabelKind | None, list[int]] = {"class": [3, 12, 36], "value": [9], None: [12]}
"""Blobs per unit of each label dimension; without labels, number of blobs."""


@dataclass(frozen=True, kw_only=True)
class BlobModel:
    """A model card and the tensors of the model."""

    card: ModelCard

    positions: npt.NDArray[np.float32]
    """`[num_blobs, 2]` positions of the blobs in the mean image, in image widths from the centre."""

    colours: npt.NDArray[np.float32]
    """`[num_blobs, 3]` colours of the blobs in the mean image, in grey levels."""

    counts: npt.NDArray[np.float32]
    """`[max(label_dim, 1)]` blobs per unit of each label dimension; without labels, number of blobs."""


def example_model(
    label_kind: LabelKind | None = "class", size: tuple[int, int] = (128, 128), seed: int = 0
) -> BlobModel:
    """A random model with class labels, a continuous label, or (None) no label."""
    rng = np.random.default_rng(seed)
    extent = np.array([0.42, 0.42 * size[0] / size[1]])
    counts = BLOBS_PER_LABEL[label_kind]
    card = ModelCard(
        backend=BACKEND,
        resolution=size,
        settings={"blobs": MAX_BLOBS},
        label_dim=len(counts) if label_kind else 0,
        label_kind=label_kind,
        classes=CLASSES if label_kind == "class" else (),
        unit="persons/m²" if label_kind else None,
        labelling={"estimator": "grid-metres"} if label_kind else {},
        provenance={"data": "random"},
    )
    return BlobModel(
        card=card,
        positions=rng.uniform(-extent, extent, (MAX_BLOBS, 2)).astype(np.float32),
        colours=rng.uniform(40, 215, (MAX_BLOBS, 3)).astype(np.float32),
        counts=np.array(counts, np.float32),
    )


def write_model(path: Path, model: BlobModel) -> None:
    """Writes a model; the safetensors package does the same with `save_file(tensors, path, metadata)`."""
    tensors = {"positions": model.positions, "colours": model.colours, "counts": model.counts}
    header: dict[str, object] = {"__metadata__": {CARD_KEY: json.dumps(model.card.to_json())}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(item.tobytes() for item in tensors.values()))


def read_model(path: Path) -> BlobModel:
    """Reads a model.

    Raises:
        CheckpointError: the file is not a model of this backend, or is damaged.
    """
    card = read_card(path)
    if card.backend != BACKEND:
        raise CheckpointError(f"{path}: a model of the backend {card.backend}; it must be {BACKEND}")
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header: Mapping[str, Mapping[str, list[int]]] = json.loads(data[8:start])
    try:
        tensors = {name: _tensor(data[start:], header[name]) for name in ("positions", "colours", "counts")}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, a tensor is missing or has the wrong size ({error})") from error
    return BlobModel(card=card, **tensors)


def _tensor(data: bytes, entry: Mapping[str, list[int]]) -> npt.NDArray[np.float32]:
    start, end = entry["data_offsets"]
    return np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
