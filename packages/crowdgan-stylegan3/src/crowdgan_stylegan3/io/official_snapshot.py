"""Models from official snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.io.official_weights import generator_from_official
from crowdgan_stylegan3.io.pickle_reader import read_networks
from crowdgan_stylegan3.io.safetensors_files import generator_card
from crowdgan_stylegan3.networks.generator import Generator

CONSTRUCTOR = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
"""Settings that a snapshot may hold as attributes alone."""


def read_official_snapshot(
    path: Path, *, which: str = "G_ema", classes: Sequence[str] = ()
) -> tuple[Generator, ModelCard]:
    """A generator in an official snapshot, and a card for it; nothing in the file is run.

    Args:
        path: the pickle.
        which: `G_ema` or `G`.
        classes: names of the label classes; none leaves them without names.

    Raises:
        CheckpointError: no official snapshot, a damaged or a malicious one; the message names the file.
        ConfigError: another number of classes than the model's labels have.
    """
    networks = read_networks(path)
    if which not in networks:
        raise CheckpointError(f"{path}: it holds no {which}, but {', '.join(networks)}")
    record = networks[which]
    known = {name: value for name, value in record.attributes.items() if name in CONSTRUCTOR}
    try:
        generator = generator_from_official({**known, **record.init_kwargs}, record.state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    settings = generator.settings
    if classes and len(classes) != settings.label_dim:
        raise ConfigError(f"{path}: its labels have {settings.label_dim} numbers; there are {len(classes)} class names")
    return generator, generator_card(settings, classes, {"imported from": path.name, "network": which})
