"""Small files that users take for models, by a short name, each with the start of its explanation."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile


def _torch_archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("550000/data.pkl", pickle.dumps({"g_ema": {}}, 2))
        archive.writestr("550000/version", "3")
    return file.getvalue()


def _plain_archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "")
    return file.getvalue()


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 363000000\n"

FOREIGN_FILES: dict[str, tuple[bytes, str]] = {
    "web page": (b"<!DOCTYPE html><html><title>Sign in</title></html>", "a web page (HTML), not the file itself; open"),
    "Git LFS pointer": (LFS_POINTER, "a Git LFS pointer, not the file itself; run git lfs pull"),
    "gzip": (gzip.compress(b"model", mtime=0), "compressed by gzip; decompress it first"),
    "torch.save": (_torch_archive(), "a file of torch.save, for example a .pt file of another StyleGAN implementation"),
    "torch.save before 1.6": (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.",
        "a file of torch.save, for example a .pt file of another StyleGAN implementation",
    ),
    "ZIP archive": (_plain_archive(), "a ZIP archive, not a model; if it contains a model, extract it first"),
    "pickle": (
        pickle.dumps({"G_ema": None}),
        "a pickle, for example an official snapshot (.pkl), which crowdgan stylegan3 import FILE converts to a model",
    ),
}
