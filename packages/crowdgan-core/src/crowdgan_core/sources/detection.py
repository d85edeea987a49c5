"""Scene sources: what reads annotated or plain images, one file per kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    pass
from crowdgan_core.sources.base import SceneSource


def find_source(
    paths: Sequence[Path], annotations: Path | None, kind: str | None, sources: Mapping[str, SceneSource]
) -> SceneSource:
    """The source that reads `paths`: the one called `kind`, or the one that recognises them.

    Raises:
        ConfigError: no source has that name, none recognises the paths, or several do.
        DatasetError: a path does not exist.
    """
    if kind is not None:
        if kind not in sources:
            raise ConfigError(f"--source-kind {kind}: there is no such source; there are {', '.join(sources)}")
        return sources[kind]
    for path in (*paths, *filter(None, [annotations])):
        if not path.exists():
            raise DatasetError(f"{path}: there is no such file or folder")
    fitting = [source for source in sources.values() if source.matches(paths, annotations)]
    chosen = [source for source in fitting if not source.is_fallback] or fitting
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(source.name for source in chosen)
        raise ConfigError(f"{paths[0]}: it may be {names}; choose with --source-kind NAME")
    read = "; ".join(f"{source.name} ({source.description})" for source in sources.values())
    raise ConfigError(f"{paths[0]}: no source recognises it. What can be read: {read}")
