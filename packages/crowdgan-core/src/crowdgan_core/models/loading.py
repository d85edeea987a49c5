"""Loading generators from model files with the backend that the model card names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from crowdgan_core.errors import CheckpointError
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.models.backend import ImageGenerator, ModelBackend
from crowdgan_core.models.card import ModelCard, read_card
from crowdgan_core.models.file_kind import check_model_file


def load_generator(
    path: Path,
    backends: Mapping[str, ModelBackend],
    device: str = "auto",
    *,
    check: Callable[[ModelCard], object] | None = None,
) -> ImageGenerator:
    """The generator in a model file, loaded by the backend that the model card names.

    A file without a card, such as another tool's model, is loaded by the first backend whose `can_load` accepts it.

    Args:
        path: the model file.
        backends: model backends by name.
        device: `auto`, `cpu` or `cuda`.
        check: receives the card and raises to reject the model; called before the weights are read if the file has a
            card.

    Raises:
        CheckpointError: missing file, not a model, a damaged file, or a backend that is not installed.
        ConfigError: the device is not available.
    """
    check_model_file(path)
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
        raise CheckpointError(f"{path}: needs the backend {missing_backend(card.backend, backends)}")
    if check is not None:
        check(card)
    return backends[card.backend].load_generator(path, device)


def missing_backend(name: str, installed: Mapping[str, ModelBackend]) -> str:
    """The name of a backend that is not installed, with the command that installs it."""
    if PLUGIN_NAME_PATTERN.fullmatch(name) is None:  # the card is untrusted text: suggest no command with it
        return f"{name!r:.80}, which is not installed; installed backends: {', '.join(installed) or 'none'}"
    return f"{name}, which is not installed: pip install crowdgan-{name}"
