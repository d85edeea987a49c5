"""Synthetic images and annotations in the formats of the sources."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Record = dict[str, Any]


def image_bytes(seed: int, size: tuple[int, int] = (60, 80), image_format: str = "JPEG", **options: Any) -> bytes:
    """An encoded image of `size` (height, width) in pixels: a smooth pattern that depends on the seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    data = io.BytesIO()
    small.resize(size[::-1], Image.Resampling.BICUBIC).save(data, image_format, **options)
    return data.getvalue()


def person(
    x: float, y: float, w: float = 8, h: float = 24, *, tag: str = "person", ignore: int | None = None
) -> Record:
    """One entry of `gtboxes` in a CrowdHuman annotation line."""
    extra: Record = {"box_id": 0, "occ": 0} | ({} if ignore is None else {"ignore": ignore})
    head = {"ignore": 0, "occ": 0, "unsure": 0} if tag == "person" else {}
    box = [x, y, w, h]
    return {"tag": tag, "hbox": [x + 2, y, w / 2, h / 7], "head_attr": head, "fbox": box, "vbox": box, "extra": extra}


def odgt(records: dict[str, list[Record]]) -> str:
    """CrowdHuman annotation lines, one per image."""
    return "".join(json.dumps({"ID": name, "gtboxes": boxes}) + "\n" for name, boxes in records.items())


RECORDS = {
    f"27{index},abc{index}": [person(10 + 5 * column, 20 + column) for column in range(6 * index)]
    + [person(0, 0, 30, 10, tag="mask", ignore=1)]
    for index in range(5)
}
"""Images with 0, 6, 12, 18 and 24 persons and one ignore region each; their IDs contain commas."""


def write_files(folder: Path, entries: dict[str, bytes]) -> Path:
    """Writes files below a folder and returns it."""
    for name, data in entries.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    """Writes a ZIP archive and returns its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


UTF8_FLAG = 0x800
"""Bit of a ZIP entry's flags: its name is UTF-8."""


def raw_zip_bytes(
    entries: Mapping[bytes, bytes], directory_flags: int = 0, local_flags: int = 0, extra: bytes = b""
) -> bytes:
    """A ZIP archive whose entries have the names in any encoding, and any flags and extra field in their headers."""
    archive, directory = b"", b""
    for name, data in entries.items():
        common = struct.pack("<HHHIIIHH", 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), len(extra))
        directory += struct.pack("<IHHH", 0x02014B50, 20, 20, directory_flags) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(archive)) + name + extra
        archive += struct.pack("<IHH", 0x04034B50, 20, local_flags) + common + name + extra + data
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(entries), len(entries), len(directory), len(archive), 0)
    return archive + directory + end


def png_chunk(kind: bytes, data: bytes, *, is_damaged: bool = False) -> bytes:
    """A PNG chunk; with a wrong checksum if it is damaged."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ is_damaged)


HEAD_POINTS = np.array([[1.25, 2.5], [30, 17]])
"""Head points, x and y in pixels."""


def image_info(points: npt.ArrayLike) -> dict[str, Any]:
    """MATLAB variables as in ShanghaiTech's files: a cell with a structure of `location` and `number`."""
    cell = np.empty((1, 1), object)
    cell[0, 0] = {"location": points, "number": float(len(points))}
    return {"image_info": cell}


def mat_bytes(variables: dict[str, Any], *, compressed: bool = True) -> bytes:
    """A MATLAB 5 file with these variables."""
    from scipy.io import savemat  # not at module level: tests of core alone run without scipy

    stream = io.BytesIO()
    savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


def add_shanghaitech(
    folder: Path, *numbers: int, annotations: str = "ground-truth", points: npt.ArrayLike = HEAD_POINTS
) -> None:
    """Adds images and their head points, in ShanghaiTech's layout."""
    for name in ("images", annotations):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.new("RGB", (40, 20)).save(folder / "images" / f"IMG_{number}.jpg")
        (folder / annotations / f"GT_IMG_{number}.mat").write_bytes(mat_bytes(image_info(points)))
