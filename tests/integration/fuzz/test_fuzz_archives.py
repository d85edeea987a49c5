"""Damaged and malicious ZIP archives."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.folder import ZipSource
from tests.integration.fuzz.tools import Pipeline, mutate_bytes, source_opener, zip_bytes


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_mutated_zips_of_images_are_refused_or_converted_without_the_damaged_images(
    compression: int, tmp_path: Path, pipeline: Pipeline, encode_noise: Callable[..., bytes]
) -> None:
    rng = random.Random(20 + compression)
    files = {f"a/{index}.png": encode_noise(index, (8, 8), "PNG") for index in range(3)}
    valid = zip_bytes(files, compression)
    for case in range(200):
        path = tmp_path / f"images{case}.zip"
        path.write_bytes(mutate_bytes(valid, rng))
        pipeline.run(source_opener(ZipSource(), path), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_mutated_zips_with_annotations_are_refused_or_labelled_without_the_damaged_images(
    tmp_path: Path, pipeline: Pipeline, write_crowd: Callable[..., Path]
) -> None:
    rng = random.Random(21)
    folder = write_crowd(tmp_path / "crowd", count=2, size=(24, 32))
    valid = zip_bytes({path.name: path.read_bytes() for path in sorted(folder.iterdir())}, zipfile.ZIP_DEFLATED)
    for case in range(500):
        path = tmp_path / f"crowd{case}.zip"
        path.write_bytes(mutate_bytes(valid, rng))
        pipeline.run(source_opener(CrowdHumanSource(), path), case, density=True)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes
