"""Options of commands that read a source of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crowdgan_core.errors import ConfigError
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.detection import open_source
from crowdgan_core.utils.flags import flag


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Options that select a source; use them with `options_from(SourceOptions)`."""

    paths: tuple[Path, ...] = flag(
        "--source", help="Folder, ZIP, CSV, JSON or other file (repeatable). The format is detected."
    )

    source_kind: str | None = flag(
        "--source-kind",
        default=None,
        metavar="NAME",
        help="Source format, if it is not detected; `crowdgan plugins` lists them.",
    )

    annotations: tuple[Path, ...] = flag(
        "--annotations", default=(), help="Annotation file, if it is not stored with the images."
    )

    def open_source(self, plugins: PluginRegistry) -> tuple[SourceReader, str]:
        """The indexed source, and its name for messages and metadata, for example `crowdhuman: CrowdHuman`.

        Raises:
            ConfigError: no source matches the paths, or several annotation files.
            DatasetError: the source is damaged.
        """
        if len(self.annotations) > 1:
            raise ConfigError(f"--annotations is given {len(self.annotations)} times; use one annotation file per run")
        annotations = self.annotations[0] if self.annotations else None
        return open_source(self.paths, annotations, self.source_kind, plugins.scene_sources)


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """Estimator options of texts `name=value`, as a mapping.

    Raises:
        ConfigError: a text without `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--set {pair} is not valid; write --set name=value")
    split = (pair.split("=", 1) for pair in pairs)
    return {name.strip(): value.strip() for name, value in split}
