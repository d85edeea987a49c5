"""Detection of the source type of paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.archive import check_complete
from crowdgan_core.sources.base import SceneSource, SourceReader
from crowdgan_core.sources.checked_source import matches_checked, open_checked
from crowdgan_core.sources.dataset import DatasetSource


def open_source(
    paths: Sequence[Path], annotations: Path | None, kind: str | None, sources: Mapping[str, SceneSource]
) -> tuple[SourceReader, str]:
    """The indexed source, and its name for messages and metadata, for example `crowdhuman: CrowdHuman`.

    Args:
        paths: paths of the images.
        annotations: annotation file, if it is not stored with the images.
        kind: name of the source; None: the source that matches the paths.
        sources: installed sources by name.

    Raises:
        ConfigError: no such source, or not exactly one source matches the paths.
        DatasetError: a path does not exist, or the source is damaged.
        PluginError: another exception in the code of the source.
    """
    source = find_source(paths, annotations, kind, sources)
    names = ", ".join(path.resolve().name for path in paths)
    return open_checked(source, paths, annotations), f"{source.name}: {names}"


def find_source(
    paths: Sequence[Path], annotations: Path | None, kind: str | None, sources: Mapping[str, SceneSource]
) -> SceneSource:
    """The source that reads `paths`; that of datasets for the folder of a dataset, whatever files it contains.

    Args:
        paths: paths of the images.
        annotations: annotation file, if it is not stored with the images.
        kind: name of the source; None: the source that matches the paths.
        sources: installed sources by name.

    Raises:
        ConfigError: no such source, or not exactly one source matches the paths.
        DatasetError: a path does not exist, or is an incomplete ZIP archive.
        PluginError: an exception in the code of a source.
    """
    if kind is not None:
        if kind not in sources:
            raise ConfigError(f"--source-kind {kind}: no such source; choose from {', '.join(sources)}")
        return sources[kind]
    for path in (*paths, *filter(None, [annotations])):
        if not path.exists():
            raise DatasetError(f"{path}: no such file or folder")
        check_complete(path)
    matching = [source for source in sources.values() if matches_checked(source, paths, annotations)]
    candidates: list[SceneSource] = [
        item for item in matching if isinstance(item, DatasetSource) and item.is_dataset_folder(paths)
    ]
    candidates = candidates or [source for source in matching if not source.is_fallback] or matching
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(source.name for source in candidates)
        raise ConfigError(f"{paths[0]}: several sources match: {names}; choose one with --source-kind NAME")
    supported = "; ".join(f"{source.name} ({source.description})" for source in sources.values())
    given = f"{paths[0]}{f' with --annotations {annotations}' if annotations is not None else ''}"
    raise ConfigError(f"{given}: no source matches; supported are {supported}")
