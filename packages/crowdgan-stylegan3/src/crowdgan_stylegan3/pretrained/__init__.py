"""The pretrained models of this package: every `NAME.safetensors` in this folder. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crowdgan_core.errors import CheckpointError
from crowdgan_core.hookspecs import PretrainedModel
from crowdgan_core.models.card import MODEL_SUFFIX, ModelCard, read_card
from crowdgan_core.utils.flags import format_size

FOLDER = Path(__file__).resolve().parent
"""Folder of the model files."""


def models_in(folder: Path) -> list[PretrainedModel]:
    """The models in a folder, in alphabetical order, with descriptions from their cards.

    A damaged file is among them, so that its use is an error that names the file.
    """
    return [PretrainedModel(path.stem, path, _describe(path)) for path in sorted(folder.glob(f"*{MODEL_SUFFIX}"))]


def _describe(path: Path) -> str:
    try:
        return ", ".join(_facts(read_card(path)))
    except CheckpointError as error:
        return str(error)


def _facts(card: ModelCard) -> Iterator[str]:
    yield f"{format_size(card.resolution)} px"
    if card.classes:
        yield f"classes {' '.join(card.classes)}"
    elif card.label_kind is not None:
        yield f"labels {card.unit or 'without unit'}"
    if "cfg" in card.provenance:
        yield str(card.provenance["cfg"])
    if "data" in card.provenance:
        yield f"trained on {card.provenance['data']}"
    if "kimg" in card.provenance:
        yield f"{card.provenance['kimg']:g} kimg"
