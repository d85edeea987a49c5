"""Synthetic CrowdHuman datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sources import RECORDS, image_bytes, odgt, write_files, write_zip

WriteSource = Callable[[str], tuple[list[Path], Path | None]]


@pytest.fixture
def write_crowdhuman(tmp_path: Path) -> WriteSource:
    """Writes five images in one of several layouts; returns the source paths, and the annotation file if separate."""

    def write(layout: str) -> tuple[list[Path], Path | None]:
        folder = tmp_path / layout
        folder.mkdir()
        images = {f"{name}.jpg": image_bytes(index) for index, name in enumerate(RECORDS)}
        prefix = "" if layout.endswith("root") else "Images/"
        entries = {prefix + name: data for name, data in images.items()}
        if layout.startswith("folder"):
            return [write_files(folder, {**entries, "annotation_train.odgt": odgt(RECORDS).encode()})], None
        if layout.startswith("zip"):
            return [write_zip(folder / "all.zip", {**entries, "annotation_train.odgt": odgt(RECORDS).encode()})], None
        image_halves = [dict(list(entries.items())[:2]), dict(list(entries.items())[2:])]
        zips = [write_zip(folder / f"CrowdHuman_train0{n + 1}.zip", half) for n, half in enumerate(image_halves)]
        (folder / "annotation_train.odgt").write_text(odgt(RECORDS))
        if layout == "download":
            write_zip(folder / "CrowdHuman_test.zip", {"Images/999,test.jpg": image_bytes(99)})
            return [folder], None
        return zips, folder / "annotation_train.odgt"

    return write
