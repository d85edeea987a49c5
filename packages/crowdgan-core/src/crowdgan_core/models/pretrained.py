"""Finds a model file: by path, or by the name of a pretrained model in an installed package."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import MODEL_SUFFIX
from crowdgan_core.models.file_kind import check_local

if TYPE_CHECKING:
    from crowdgan_core.plugins.registry import PluginRegistry


def find_model(path: Path, plugins: PluginRegistry, *, expected: str = "file", accepts_folder: bool = False) -> Path:
    """The path if it exists, otherwise the file of the pretrained model of this name.

    Args:
        path: a path, or the name of a pretrained model.
        plugins: the installed plugins.
        expected: what the caller reads, for the message: `no such file`.
        accepts_folder: whether the caller reads folders too.

    Raises:
        CheckpointError: a URL; neither a path that exists nor the name of a pretrained model, whose names the message
            lists; or a folder that hides a pretrained model from a caller that reads no folders.
    """
    check_local(path)
    exists = os.path.exists(path)  # noqa: PTH110  # Path.exists raises an error for a text that is too long
    if exists and (accepts_folder or not path.is_dir()):
        return path
    models = plugins.pretrained_models
    model = models.get(str(path))
    if not exists:
        if model is None:
            raise CheckpointError(f"{path}: no such {expected}{_alternatives(path, models)}")
        return model.path
    if model is not None:
        raise CheckpointError(f"{path}: a folder, which hides the pretrained model {model.name}; rename the folder")
    return path


def _alternatives(path: Path, names: Iterable[str]) -> str:
    """The names of all pretrained models and the one nearest to a path, as the end of a message."""
    names = list(names)
    if not names:
        return "" if path.name != str(path) or path.suffix else "; no pretrained models are installed"
    text = path.stem if path.suffix == MODEL_SUFFIX else path.name
    nearest = difflib.get_close_matches(text, names, n=1)
    suggestion = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{suggestion}; pretrained models: {', '.join(names)}".replace("?;", "?")
