"""Trained models: which installed backend reads a model file, and the generator in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from crowdgan_core.backend import ImageGenerator, ModelBackend
from crowdgan_core.errors import CheckpointError
from crowdgan_core.model_card import ModelCard, read_card
from crowdgan_core.plugins import THING_NAME, installed_plugins


def load_generator(
    path: Path,
    device: str = "auto",
    *,
    check: Callable[[ModelCard], object] | None = None,
    backends: Mapping[str, ModelBackend] | None = None,
) -> ImageGenerator:
    """The generator in a model file, loaded by the backend that the file's card names.

    A file without a card is loaded by the first backend that knows it by `can_load`, such as other tools' models.

    Args:
        path: the model file.
        device: `auto`, `cpu` or `cuda`.
        check: given the card, may refuse the model; before its weights are read, where the file has a card.
        backends: backends by name; those of the installed plugins by default.

    Raises:
        CheckpointError: no such file, no model, a damaged one, or one of a backend that is not installed.
        ConfigError: there is no such device.
    """
    known = installed_plugins().model_backends if backends is None else backends
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    try:
        card = read_card(path)
    except CheckpointError:
        backend = next((item for item in known.values() if item.can_load(path)), None)
        if backend is None:
            raise
        generator = backend.load_generator(path, device)
        if check is not None:
            check(generator.card)
        return generator
    if card.backend not in known:
        raise CheckpointError(f"{path}: it needs the backend {missing_backend(card.backend, known)}")
    if check is not None:
        check(card)
    return known[card.backend].load_generator(path, device)


def missing_backend(name: str, installed: Mapping[str, ModelBackend]) -> str:
    """The name of a backend that is not installed, and how to get it."""
    if THING_NAME.fullmatch(name) is None:  # a card is text from outside: no command is made of it
        return f"{name!r:.80}, which is not installed; installed are {', '.join(installed) or 'none'}"
    return f"{name}, which is not installed: pip install crowdgan-{name}"
