"""Latent files: the intermediate latents of one image in an `.npz` file, with a record of their origin."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator

LATENT_KEY = "w"
"""Key of the intermediate latents `[1, num_layers, latent_dim]`, the same as in files of the official projector."""

RECORD_KEY = "record"
"""Key of the record as JSON text."""


def encode_latent(latent: LatentArray, record: Mapping[str, Any]) -> bytes:
    """The content of a latent file.

    Args:
        latent: `[1, num_layers, latent_dim]`.
        record: JSON-ready origin: model, label, target, options.
    """
    file = io.BytesIO()
    np.savez(file, w=latent, record=np.array(json.dumps(record, ensure_ascii=False)))
    return file.getvalue()


def read_latent(path: Path, generator: LatentGenerator) -> tuple[LatentArray, dict[str, Any]]:
    """Intermediate latents `[1, num_layers, latent_dim]` for a generator, and their record.

    The record of files of other tools is empty. Reading executes no code.

    Raises:
        DatasetError: the file is missing, damaged, has no latents, or has those of another network.
    """
    latent, record = _read(path)
    expected = (1, *generator.latent_shape)
    if latent.shape != expected or not np.isfinite(latent).all():
        found = f"of shape {list(latent.shape)}" if latent.shape != expected else "not finite"
        raise DatasetError(f"{path}: the latents are {found}; this model needs finite ones of shape {list(expected)}")
    return latent, record


def read_latent_record(path: Path) -> dict[str, Any]:
    """The record of a latent file; empty for files of other tools.

    Raises:
        DatasetError: the file is missing, damaged, or has no latents.
    """
    return _read(path)[1]


def recorded_label(record: Mapping[str, Any], card: ModelCard) -> LabelVector | None:
    """The label in the record of a latent file; None without a label of the model."""
    label = record.get("label")
    if not isinstance(label, list) or not label or len(label) != card.label_dim:
        return None
    return tuple(float(number) for number in label)


def _read(path: Path) -> tuple[LatentArray, dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            latent = np.asarray(arrays[LATENT_KEY], np.float32)
            record = json.loads(str(arrays[RECORD_KEY])) if RECORD_KEY in arrays else {}
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        if isinstance(error, FileNotFoundError):
            raise DatasetError(f"{path}: no such file") from error
        raise DatasetError(
            f"{path}: not a latent file; it must be an .npz file with the array {LATENT_KEY}, as of crowdgan project"
        ) from error
    return latent, record if isinstance(record, dict) else {}
