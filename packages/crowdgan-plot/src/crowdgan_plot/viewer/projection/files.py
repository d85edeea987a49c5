"""Files of a projection: its latents, target and model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.projection_files import LATENT_NAME, TARGET_NAME, TUNED_NAME
from crowdgan_core.models.latent_file import read_latent_record


@dataclass(frozen=True, kw_only=True)
class ProjectionFiles:
    """Latents with their record, and the target if its file exists."""

    latents: Path
    record: dict[str, Any]
    target: Path | None
    tuned: Path | None
    """The tuned model."""

    @property
    def name(self) -> str:
        """Name of the projection: that of its folder, or of another latent file."""
        return self.latents.resolve().parent.name if self.latents.name == LATENT_NAME else self.latents.name

    def network(self, given: Path | None, pretrained: Collection[str]) -> Path:
        """The model: the given one, the tuned one, or the pretrained model that the record names.

        Raises:
            ConfigError: there is none.
        """
        if given is not None:
            return given
        if self.tuned is not None:
            return self.tuned
        name = self.record.get("model")
        if name in pretrained:
            return Path(str(name))
        recorded = f"; its record names {name!r:.80}" if name else ""
        raise ConfigError(f"{self.latents}: the model of the latents is needed{recorded}: --network MODEL")


def is_projection(path: Path) -> bool:
    """Whether a path is a latent file, or a folder with one, or with folders that have one."""
    return path.suffix.lower() == ".npz" or (path / LATENT_NAME).is_file() or any(path.glob(f"*/{LATENT_NAME}"))


def find_projection(path: Path) -> ProjectionFiles:
    """The files of a projection.

    Args:
        path: folder of `crowdgan project`, or a latent file.

    Raises:
        ConfigError: the folder contains several projections.
        DatasetError: the latent file is damaged.
    """
    latents = path
    if path.is_dir():
        latents = path / LATENT_NAME
        if not latents.is_file():
            folders = sorted(file.parent for file in path.glob(f"*/{LATENT_NAME}"))
            raise ConfigError(f"{path}: a folder of {len(folders)} projections; name one, for example {folders[0]}")
    folder, is_default = latents.parent, latents.name == LATENT_NAME
    return ProjectionFiles(
        latents=latents,
        record=read_latent_record(latents),
        target=_existing(folder / TARGET_NAME) if is_default else None,
        tuned=_existing(folder / TUNED_NAME) if is_default else None,
    )


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
