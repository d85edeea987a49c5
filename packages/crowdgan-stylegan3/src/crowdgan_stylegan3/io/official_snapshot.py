"""Models from official snapshots (`.pkl`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.io.official_weights import generator_from_official
from crowdgan_stylegan3.io.pickle_reader import read_networks
from crowdgan_stylegan3.io.safetensors_files import generator_card, save_network
from crowdgan_stylegan3.networks.generator import Generator

CONSTRUCTOR_ATTRIBUTES = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
"""Constructor arguments that a snapshot may hold as attributes only."""

GeneratorName = Literal["G_ema", "G"]


def import_snapshot(
    pkl: Path | str,
    dest: Path | str,
    *,
    classes: Sequence[str] = (),
    which: GeneratorName = "G_ema",
    overwrite: bool = False,
) -> None:
    """Converts an official StyleGAN3 or StyleGAN2-ADA snapshot to a model; nothing in the file is executed.

    Args:
        pkl: the snapshot.
        dest: output file.
        classes: class names, from sparse to dense; empty if they are unknown.
        which: EMA generator (`G_ema`) or raw generator (`G`).
        overwrite: whether to overwrite `dest` if it exists.

    Raises:
        CheckpointError: the file is not an official snapshot, is damaged or malicious; the message names the file.
        ConfigError: the number of class names differs from the model's label_dim, or `dest` is the snapshot.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    pkl, dest = Path(pkl), Path(dest)
    if dest.resolve() == pkl.resolve():
        raise ConfigError(f"{dest}: the output file is the snapshot itself; choose another destination")
    check_overwrite(dest, overwrite=overwrite)
    generator, card = read_official_snapshot(pkl, which=which, classes=classes)
    save_network(generator, card, dest, overwrite=overwrite)


def read_official_snapshot(
    path: Path, *, which: GeneratorName = "G_ema", classes: Sequence[str] = ()
) -> tuple[Generator, ModelCard]:
    """A generator of an official snapshot, and its model card; nothing in the file is executed.

    Args:
        path: the snapshot.
        which: EMA generator (`G_ema`) or raw generator (`G`).
        classes: class names, from sparse to dense; empty if they are unknown.

    Raises:
        CheckpointError: the file is not an official snapshot, is damaged or malicious; the message names the file.
        ConfigError: the number of class names differs from the model's label_dim.
    """
    record = read_networks(path, [which])[which]
    attributes = {name: value for name, value in record.attributes.items() if name in CONSTRUCTOR_ATTRIBUTES}
    try:
        generator = generator_from_official({**attributes, **record.init_kwargs}, record.state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    label_dim = generator.config.label_dim
    if classes and len(classes) != label_dim:
        raise ConfigError(f"{path}: {len(classes)} class names for a model with label_dim {label_dim}")
    return generator, generator_card(generator.config, classes, {"imported from": path.name, "network": which})
