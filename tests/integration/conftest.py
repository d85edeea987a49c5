"""Fixtures of the integration tests: synthetic crowds on disk, and the command `crowdgan` in a subprocess."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CrowdWriter = Callable[..., Path]

RunBlobs = Callable[..., subprocess.CompletedProcess[str]]

PLUGINS = Path(__file__).parents[1] / "plugins"


def noise_image(seed: int, size: tuple[int, int], image_format: str = "JPEG", **options: Any) -> bytes:
    """An encoded image of smooth noise, `size` (height, width) in pixels."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (max(1, size[0] // 8), max(1, size[1] // 8), 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def crowd_line(name: str, persons: int, seed: int, size: tuple[int, int]) -> str:
    """One CrowdHuman annotation line: persons and one ignore region in an image of `size` (height, width)."""
    generator = np.random.default_rng(seed)
    boxes: list[dict[str, Any]] = []
    for _ in range(persons):
        height_px = float(generator.uniform(0.2, 0.5) * size[0])
        x, y = float(generator.uniform(0, 0.8) * size[1]), float(generator.uniform(0, 0.5) * size[0])
        full = [round(number, 1) for number in (x, y, 0.4 * height_px, height_px)]
        head = [round(number, 1) for number in (x + 0.1 * height_px, y, 0.15 * height_px, 0.18 * height_px)]
        boxes.append({"tag": "person", "fbox": full, "vbox": full, "hbox": head, "extra": {"box_id": 0, "occ": 1}})
    boxes.append(
        {"tag": "mask", "fbox": [0, 0, 5, 5], "vbox": [0, 0, 5, 5], "hbox": [0, 0, 1, 1], "extra": {"ignore": 1}}
    )
    return json.dumps({"ID": name, "gtboxes": boxes})


@pytest.fixture(scope="session")
def blobs_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy model backend, installed by pip; it extends the environment's distributions."""
    site = tmp_path_factory.mktemp("site")
    source = PLUGINS / "crowdgan-blobs"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(source)]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    return site


@pytest.fixture(scope="session")
def blobs(blobs_site: Path) -> RunBlobs:
    """Runs `crowdgan` with the toy model backend installed, and checks its exit code: `blobs(*arguments, code=0)`."""

    def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "from crowdgan_core.cli import main; main()", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(blobs_site)}
        process = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=120)
        assert process.returncode == code, process.stderr
        return process

    return run


@pytest.fixture(scope="session")
def blob_models(blobs: RunBlobs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `class.safetensors`, `value.safetensors` and `none.safetensors`, named after their label type."""
    folder = tmp_path_factory.mktemp("models")
    for labels in ("class", "value", "none"):
        blobs("train", "blobs", "--dest", folder / f"{labels}.safetensors", "--labels", labels, "--size", "32")
    return folder


@pytest.fixture(scope="session")
def encode_noise() -> Callable[..., bytes]:
    """Encodes a noise image: `encode_noise(seed, size, image_format, **pillow_options)`."""
    return noise_image


@pytest.fixture(scope="session")
def write_crowd() -> CrowdWriter:
    """Writes a CrowdHuman-style folder: `write_crowd(folder, count=24, size=(240, 320))`."""

    def write(folder: Path, *, count: int = 24, size: tuple[int, int] = (240, 320)) -> Path:
        folder.mkdir(parents=True)
        lines = [crowd_line(f"crowd{index:03d}", 2 + 3 * (index % 13), index, size) for index in range(count)]
        (folder / "annotation_train.odgt").write_text("\n".join(lines) + "\n")
        for index in range(count):
            (folder / f"crowd{index:03d}.jpg").write_bytes(noise_image(index, size))
        return folder

    return write


@pytest.fixture(scope="session")
def crowdgan() -> list[str]:
    """The command line of the installed `crowdgan`."""
    script = Path(sys.executable).with_name("crowdgan.exe" if sys.platform == "win32" else "crowdgan")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from crowdgan_core.cli import main; main()"]
