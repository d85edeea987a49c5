"""Made-up downloads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sources import RECORDS, image_bytes, odgt, write_tree, write_zip

MakeSource = Callable[[str], tuple[list[Path], Path | None]]


@pytest.fixture
def make_crowdhuman(tmp_path: Path) -> MakeSource:
    """Writes the five images in one of the forms that people have; returns sources and annotations apart."""

    def make(form: str) -> tuple[list[Path], Path | None]:
        folder = tmp_path / form
        folder.mkdir()
        images = {f"{name}.jpg": image_bytes(index) for index, name in enumerate(RECORDS)}
        below = "" if form.endswith("root") else "Images/"
        entries = {below + name: data for name, data in images.items()}
        if form.startswith("folder"):
            return [write_tree(folder, {**entries, "annotation_train.odgt": odgt(RECORDS).encode()})], None
        if form.startswith("zip"):
            return [write_zip(folder / "all.zip", {**entries, "annotation_train.odgt": odgt(RECORDS).encode()})], None
        halves = [dict(list(entries.items())[:2]), dict(list(entries.items())[2:])]
        zips = [write_zip(folder / f"CrowdHuman_train0{n + 1}.zip", half) for n, half in enumerate(halves)]
        (folder / "annotation_train.odgt").write_text(odgt(RECORDS))
        if form == "download":
            write_zip(folder / "CrowdHuman_test.zip", {"Images/999,test.jpg": image_bytes(99)})
            return [folder], None
        return zips, folder / "annotation_train.odgt"

    return make
