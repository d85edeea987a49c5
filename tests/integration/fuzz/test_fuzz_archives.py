"""Damaged and hostile zip archives."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.folder import ZipSource
from tests.integration.fuzz.tools import Pipeline, mutated, opened, zipped


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_mutated_zips_of_images_are_refused_or_made_into_datasets_of_what_is_left(
    compression: int, tmp_path: Path, pipeline: Pipeline, encode_noise: Callable[..., bytes]
) -> None:
    dice = random.Random(20 + compression)
    files = {f"a/{index}.png": encode_noise(index, (8, 8), "PNG") for index in range(3)}
    valid = zipped(files, compression)
    for case in range(200):
        path = tmp_path / f"images{case}.zip"
        path.write_bytes(mutated(valid, dice))
        pipeline.run(opened(ZipSource(), path), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_mutated_zips_with_annotations_are_refused_or_made_into_datasets_of_what_is_left(
    tmp_path: Path, pipeline: Pipeline, write_crowd: Callable[..., Path]
) -> None:
    dice = random.Random(21)
    folder = write_crowd(tmp_path / "crowd", count=2, size=(24, 32))
    valid = zipped({path.name: path.read_bytes() for path in sorted(folder.iterdir())}, zipfile.ZIP_DEFLATED)
    for case in range(500):
        path = tmp_path / f"crowd{case}.zip"
        path.write_bytes(mutated(valid, dice))
        pipeline.run(opened(CrowdHumanSource(), path), case, density=True)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes
