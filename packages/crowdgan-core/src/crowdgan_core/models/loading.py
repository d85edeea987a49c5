"""Loading of generators from model files, by the backend that the model card names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from crowdgan_core.errors import CheckpointError
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.models.backend import ImageGenerator, ModelBackend
from crowdgan_core.models.card import ModelCard, read_card


def load_generator(
    path: Path,
    backends: Mapping[str, ModelBackend],
    device: str = "auto",
    *,
    check: Callable[[ModelCard], object] | None = None,
) -> ImageGenerator:
    """The generator in a model file, loaded by the backend that the file's card names.

    A file without a card is loaded by the first backend that knows it by `can_load`, such as other tools' models.

    Args:
        path: the model file.
        backends: model backends by name.
        device: `auto`, `cpu` or `cuda`.
        check: given the card, may refuse the model; before its weights are read, where the file has a card.

    Raises:
        CheckpointError: no such file, no model, a damaged one, or one of a backend that is not installed.
        ConfigError: there is no such device.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    try:
        card = read_card(path)
    except CheckpointError:
        backend = next((item for item in backends.values() if item.can_load(path)), None)
        if backend is None:
            raise
        generator = backend.load_generator(path, device)
        if check is not None:
            check(generator.card)
        return generator
    if card.backend not in backends:
        raise CheckpointError(f"{path}: it needs the backend {missing_backend(card.backend, backends)}")
    if check is not None:
        check(card)
    return backends[card.backend].load_generator(path, device)


def missing_backend(name: str, installed: Mapping[str, ModelBackend]) -> str:
    """The name of a backend that is not installed, and how to get it."""
    if PLUGIN_NAME_PATTERN.fullmatch(name) is None:  # a card is text from outside: no command is made of it
        return f"{name!r:.80}, which is not installed; installed are {', '.join(installed) or 'none'}"
    return f"{name}, which is not installed: pip install crowdgan-{name}"
