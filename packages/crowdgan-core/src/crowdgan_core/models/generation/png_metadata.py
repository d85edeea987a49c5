"""How an image was made, written into its file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from crowdgan_core.errors import DatasetError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.utils.arrays import ImageArray

RECORD_KEY = "crowdgan"
"""Keyword of the PNG's text chunk that holds the record, as JSON."""


def model_record(card: ModelCard, model_name: str) -> dict[str, Any]:
    """By what images were made, for their record."""
    software = f"crowdgan-core {version('crowdgan-core')}"
    return {"model": model_name, "backend": card.backend, "software": software}


def rendering_record(rendering: GenerationOptions) -> dict[str, Any]:
    """How images were made, for their record; a move only where there is one."""
    moves = {"translate": list(rendering.translate), "rotate_deg": rendering.rotate_deg} if rendering.moves else {}
    return {"truncation_psi": rendering.truncation_psi, **moves}


def encode_png_with_metadata(pixels: ImageArray, record: Mapping[str, Any]) -> bytes:
    """A PNG file of an image `[height, width, 3]`, with its record.

    The record stands in an international text chunk of the keyword `crowdgan`, as JSON; the chunk `Software`, one of
    the keywords that the PNG specification defines, names the tool for other programs.
    """
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(RECORD_KEY, json.dumps(record, ensure_ascii=False))
    chunks.add_text("Software", str(record.get("software", RECORD_KEY)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def read_png_metadata(path: Path) -> dict[str, Any]:
    """The record in a PNG that `crowdgan generate` or `sweep` wrote.

    Raises:
        DatasetError: no such file, no PNG, or one without a record.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()  # chunks may follow the pixels
            record = json.loads(image.info[RECORD_KEY])
    except (OSError, KeyError, ValueError, SyntaxError) as error:
        raise DatasetError(f"{path}: no PNG that crowdgan generated") from error
    if not isinstance(record, dict):
        raise DatasetError(f"{path}: no PNG that crowdgan generated")
    return record
