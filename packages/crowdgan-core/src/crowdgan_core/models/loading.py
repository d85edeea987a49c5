"""Loading generators from model files with the backend that the model card names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from crowdgan_core.errors import CheckpointError
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN
from crowdgan_core.models.backend import ImageGenerator, ModelBackend
from crowdgan_core.models.card import ModelCard, read_card
from crowdgan_core.models.file_kind import check_model_file
from crowdgan_core.utils.plugin_calls import plugin_call, require_result

KIND = "model backend"


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
        PluginError: another exception in the backend's code, or it did not return a generator.
    """
    check_model_file(path)
    try:
        card = read_card(path)
    except CheckpointError:
        backend = accepting_backend(path, backends)
        if backend is None:
            raise
        generator = _load(backend, path, device)
        if check is not None:
            check(generator.card)
        return generator
    if card.backend not in backends:
        raise CheckpointError(f"{path}: needs the backend {missing_backend(card.backend, backends)}")
    if check is not None:
        check(card)
    return _load(backends[card.backend], path, device)


def accepting_backend(path: Path, backends: Mapping[str, ModelBackend]) -> ModelBackend | None:
    """The first backend that can load a file without a model card; None if none can.

    Raises:
        PluginError: an exception in a backend's code.
    """
    for backend in backends.values():
        with plugin_call(KIND, backend, f"can_load: {path}"):
            if backend.can_load(path):
                return backend
    return None


def _load(backend: ModelBackend, path: Path, device: str) -> ImageGenerator:
    with plugin_call(KIND, backend, f"load_generator: {path}"):
        generator = backend.load_generator(path, device)
        has_card = isinstance(generator.card, ModelCard)
    require_result(has_card, KIND, backend, f"load_generator: {path}", "the card of the generator must be a ModelCard")
    return generator


def missing_backend(name: str, installed: Mapping[str, ModelBackend]) -> str:
    """The name of a backend that is not installed, with the command that installs it."""
    if PLUGIN_NAME_PATTERN.fullmatch(name) is None:  # the card is untrusted text: suggest no command with it
        return f"{name!r:.80}, which is not installed; installed backends: {', '.join(installed) or 'none'}"
    return f"{name}, which is not installed: pip install crowdgan-{name}"
