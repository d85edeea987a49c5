"""Annotation files and image folders among the paths of a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import FolderStore, Store, open_store
from crowdgan_core.io.text_files import TextFile
from crowdgan_core.sources.annotation_files.table_detection import CROWDHUMAN_SUFFIX, is_crowdhuman

ANNOTATION_FOLDER = "annotations"
"""Folder of annotation files next to the folders of images, in lower case, as in COCO."""


@dataclass(frozen=True, kw_only=True)
class LocatedFiles:
    """Annotation files and stores of images of a source."""

    files: Sequence[TextFile]
    stores: Sequence[Store]

    are_named: bool
    """Whether the user names the annotation files, in place of a folder that contains them."""


def locate_files(
    paths: Sequence[Path],
    annotations: Path | None,
    suffixes: Sequence[str],
    is_annotation: Callable[[TextFile], bool],
) -> LocatedFiles:
    """The annotation files and the stores of the images.

    Annotation files are `annotations` and the paths with one of the suffixes, with images in the other paths, or next
    to the file if there are none. Without them: the files for which `is_annotation` is True, at the top of the stores
    or in `annotations/` there.

    Args:
        paths: paths of the images or annotation files.
        annotations: annotation file, if it is given separately.
        suffixes: suffixes of annotation files, in lower case.
        is_annotation: a quick check of a file with such a suffix.

    Raises:
        DatasetError: a path cannot be read, or is neither a folder, a ZIP archive nor a file with such a suffix.
    """
    named = [path for path in paths if path.suffix.lower() in suffixes and not path.is_dir()]
    stores: list[Store] = [open_store(path) for path in paths if path not in named]
    if annotations is not None:
        named.append(annotations)
    if named:
        beside: list[Store] = [FolderStore(folder) for folder in dict.fromkeys(path.parent for path in named)]
        return LocatedFiles(files=[TextFile.at(path) for path in named], stores=stores or beside, are_named=True)
    files = [file for store in stores for file in _candidates(store, suffixes) if _accepts(is_annotation, file)]
    return LocatedFiles(files=files, stores=stores, are_named=False)


def _candidates(store: Store, suffixes: Sequence[str]) -> list[TextFile]:
    """Files with one of the suffixes at the top of a store, or of its only folder.

    None next to CrowdHuman annotations, which come first: other files next to them are usually additional data.
    """
    names = store.names()
    others = (TextFile(store, name) for name in names if name.lower().endswith(CROWDHUMAN_SUFFIX))
    if any(_accepts(is_crowdhuman, file) for file in others):
        return []
    top_folders = {name.partition("/")[0] if "/" in name else "" for name in names}
    root = f"{top_folders.pop()}/" if len(top_folders) == 1 and "" not in top_folders else ""
    found = []
    for name in names:
        folder, _, file_name = name.removeprefix(root).rpartition("/")
        if folder.lower() in ("", ANNOTATION_FOLDER) and Path(file_name).suffix.lower() in suffixes:
            found.append(TextFile(store, name))
    return found


def _accepts(is_annotation: Callable[[TextFile], bool], file: TextFile) -> bool:
    try:
        return is_annotation(file)
    except DatasetError:
        return False
