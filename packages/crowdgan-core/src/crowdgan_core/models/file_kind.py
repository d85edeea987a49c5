"""Files that are not models of crowdgan: what they are, and what to do with them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Literal

from crowdgan_core.errors import CheckpointError

URL_PATTERN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.+)", re.DOTALL)
"""Start of a URL, also as a path, which has one slash only; a Windows drive has one letter."""

HEAD_BYTES = 512
"""Number of bytes from which a file is identified."""

PICKLE_START = re.compile(rb"\x80[\x02-\x05][\x95}\](cXKN)\x8a]")
"""Protocol of a pickle and its next opcode."""

TORCH_PICKLE_START = re.compile(rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.")
"""First pickle in files of torch.save before PyTorch 1.6: a magic number."""

HTML_START = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|\?xml|!--)", re.IGNORECASE)

TORCH_RECORD = re.compile(r"(.+/)?data\.pkl")
"""Entry in ZIP files of torch.save that holds the saved object."""

FileKind = Literal["html", "lfs", "gzip", "torch", "zip", "pickle"]

EXPLANATIONS: dict[FileKind, str] = {
    "html": "a web page (HTML), not the file itself; open the link in a browser and download the file from there",
    "lfs": "a Git LFS pointer, not the file itself; run git lfs pull in its repository",
    "gzip": "compressed by gzip; decompress it first, for example by gunzip",
    "torch": (
        "a file of torch.save, for example a .pt file of another StyleGAN implementation; supported are models of "
        "crowdgan (.safetensors) and, by crowdgan stylegan3 import, official snapshots (.pkl)"
    ),
    "zip": "a ZIP archive, not a model; if it contains a model, extract it first",
    "pickle": (
        "a pickle, for example an official snapshot (.pkl), which crowdgan stylegan3 import FILE converts to a model"
    ),
}
"""Kinds of files, and what to do with each."""


def identify_file(path: Path) -> FileKind | None:
    """The kind of a file that is not a model, from its start; None for any other file.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if head.startswith(b"PK\x03\x04"):
        return "torch" if _is_torch_archive(path) else "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"version https://git-lfs"):
        return "lfs"
    if HTML_START.match(head):
        return "html"
    if TORCH_PICKLE_START.match(head):
        return "torch"
    return "pickle" if PICKLE_START.match(head) else None


def explain_file(path: Path) -> str | None:
    """An explanation of a file that is not a model, with advice; None if its kind is unknown.

    Raises:
        CheckpointError: the file cannot be read.
    """
    kind = identify_file(path)
    return None if kind is None else EXPLANATIONS[kind]


def check_local(path: Path) -> None:
    """Checks that a path is not a URL.

    Raises:
        CheckpointError: it is a URL; the message has both of its slashes.
    """
    match = URL_PATTERN.fullmatch(path.as_posix())
    if match and not path.exists():
        url = f"{match[1]}://{match[2]}"
        raise CheckpointError(f"{url}: a URL; download the file first, and give the path of the downloaded file")


def check_model_file(path: Path) -> None:
    """Checks that a path is an existing file.

    Raises:
        CheckpointError: it is a URL, a folder, or does not exist; for a folder, the message names its latest model.
    """
    check_local(path)
    if path.is_dir():
        models = sorted(path.glob("*.safetensors"))
        example = f", for example {models[-1]}" if models else ""
        raise CheckpointError(f"{path}: a folder; name a model file{example}")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")


def _is_torch_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(TORCH_RECORD.fullmatch(name) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
