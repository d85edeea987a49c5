"""Helpers of the fuzz tests: mutations of files and JSON, and checks of one case.

Damaged or malicious input must give a `CrowdganError`, a skipped image, or success. Every loop is seeded, so that
failures are reproducible; the assertion message contains the number of the case.
"""

from __future__ import annotations

import io
import json
import random
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import CrowdganError
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SceneSource, SourceReader

HANG_TIMEOUT_S = 20
"""Seconds after which one case counts as a hang; the slowest takes 0.1 s."""

OUTPUT_FORMATS: list[tuple[DatasetFormat, str]] = [(ZipFormat(), "out.zip"), (Hdf5Format(), "out.h5")]
"""Output formats, used alternately, with the name of the destination."""

SMALL = ImageTransform(name="center-crop", size=(8, 8))

EXTREME_BYTES = (
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff" * 8,
    b"\n",
)
"""Integers at the limits of their ranges and a newline; they overwrite lengths and offsets in binary files."""


class HangError(BaseException):
    """A case took longer than `HANG_TIMEOUT_S`; not an `Exception`, so that no reader of damaged files catches it."""


@contextmanager
def checked_case(name: object) -> Iterator[None]:
    """Fails with the case's name on a hang or an exception other than `CrowdganError`, which is suppressed."""
    has_timer = hasattr(signal, "setitimer")
    if has_timer:
        signal.signal(signal.SIGALRM, _raise_hang)
        signal.setitimer(signal.ITIMER_REAL, HANG_TIMEOUT_S)
    try:
        yield
    except CrowdganError as error:
        assert str(error), f"case {name}: an error without a message"
    except Exception as error:
        raise AssertionError(f"case {name}: {type(error).__name__}: {error}") from error
    finally:
        if has_timer:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _raise_hang(number: int, frame: object) -> None:
    raise HangError


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to four random changes, or random bytes in 3 % of the cases."""
    if rng.random() < 0.03:
        return rng.randbytes(rng.randrange(200))
    mutated = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        rng.choice((_flip, _truncate, _splice, _insert, _overwrite, _remove))(mutated, rng)
    return bytes(mutated)


def _random_position(data: bytearray, rng: random.Random) -> int:
    """A random position; in half of the cases near the start or the end, where formats store headers and indices."""
    if rng.random() < 0.5 or len(data) < 128:
        return rng.randrange(len(data) + 1)
    return rng.randrange(64) if rng.random() < 0.5 else len(data) - rng.randrange(64)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 4, 30))):
        position = _random_position(data, rng)
        if position < len(data):
            data[position] ^= 1 << rng.randrange(8)


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[_random_position(data, rng) :]


def _splice(data: bytearray, rng: random.Random) -> None:
    start, length, position = _random_position(data, rng), rng.randrange(1, 100), _random_position(data, rng)
    data[position : position + rng.choice((0, length))] = data[start : start + length]


def _insert(data: bytearray, rng: random.Random) -> None:
    position = _random_position(data, rng)
    data[position:position] = rng.randbytes(rng.choice((1, 2, 7, 64)))


def _overwrite(data: bytearray, rng: random.Random) -> None:
    position, value = _random_position(data, rng), rng.choice(EXTREME_BYTES)
    data[position : position + len(value)] = value


def _remove(data: bytearray, rng: random.Random) -> None:
    position = _random_position(data, rng)
    del data[position : position + rng.choice((1, 4, 50))]


UNUSUAL_JSON_VALUES = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        10**9,
        10**400,
        -(10**400),
        0.5,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "[/x]",
    ),
    *("\ud800", "\0", "../x", [], {}, [[]], [{}], [None], [1, 2], ["a", "a"], {"format": 1}, [10**400], [float("nan")]),
)
"""JSON values that readers often fail to handle."""


def mutate_json(value: Any, rng: random.Random) -> Any:
    """A copy of JSON data in which one to three random members are replaced, duplicated or removed."""
    mutated = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        container = mutated
        while isinstance(container, (dict, list)) and container:
            key = rng.choice(list(container)) if isinstance(container, dict) else rng.randrange(len(container))
            member = container[key]
            if not isinstance(member, (dict, list)) or not member or rng.random() < 0.3:
                _mutate_member(container, key, rng)
                break
            container = member
    return mutated


def _mutate_member(container: Any, key: Any, rng: random.Random) -> None:
    draw = rng.random()
    if draw < 0.7:
        container[key] = deepcopy(rng.choice(UNUSUAL_JSON_VALUES))
    elif draw < 0.85:
        del container[key]
    elif isinstance(container, list):
        container.append(deepcopy(container[key]))
    else:
        container[f"{key}_more"] = deepcopy(container[key])


class Pipeline:
    """Runs of `build_dataset` in one folder; checks that the destination is complete or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._estimators = [cls for _, cls in sorted(installed_plugins().density_estimators.items())]
        self._run_count = 0
        self.outcomes = {"written": 0, "refused": 0}
        folder.mkdir()

    def run(self, open_source: Callable[[], SourceReader], name: object, *, density: bool = False) -> None:
        """Builds a dataset from a source; formats, estimators and values of `on_error` alternate."""
        self._run_count += 1
        out_format, dest_name = OUTPUT_FORMATS[self._run_count % len(OUTPUT_FORMATS)]
        dest = self._folder / dest_name
        succeeded = False
        with checked_case(name):
            config = BuildConfig(
                dest=dest,
                format=out_format,
                estimator=self._next_estimator() if density else None,
                transform=SMALL,
                on_error="fail" if self._run_count % 5 == 0 else "skip",
                workers=1,
            )
            summary = build_dataset(open_source(), "fuzz", config)
            succeeded = True
        names = [path.name for path in self._folder.iterdir()]
        assert names == ([dest_name] if succeeded else []), f"case {name}: the folder contains {names}"
        if succeeded:
            with out_format.open(dest) as reader:
                assert len(reader) == summary.num_written > 0
                reader.image(0)
            dest.unlink()
        self.outcomes["written" if succeeded else "refused"] += 1

    def _next_estimator(self) -> DensityEstimator:
        return self._estimators[self._run_count % len(self._estimators)]()


def source_opener(source: SceneSource, path: Path) -> Callable[[], SourceReader]:
    """A function that matches a source with a path and opens it."""

    def open_source() -> SourceReader:
        source.matches([path], None)
        return source.open([path], None)

    return open_source


def valid_images(encode_noise: Callable[..., bytes]) -> dict[str, bytes]:
    """Small valid images of every supported type, by file name."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8769] = {0xA405: 35}
    size = (24, 32)
    palette, grey16, rgba = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.open(io.BytesIO(encode_noise(1, size, "PNG"))).quantize(16).save(palette, "PNG", transparency=3)
    Image.fromarray(np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)).save(grey16, "PNG")
    Image.open(io.BytesIO(encode_noise(2, size, "PNG"))).convert("RGBA").save(rgba, "WEBP", lossless=True)
    return {
        "plain.jpg": encode_noise(3, size, "JPEG"),
        "progressive.jpg": encode_noise(4, size, "JPEG", progressive=True),
        "rotated.jpg": encode_noise(5, size, "JPEG", exif=exif),
        "plain.png": encode_noise(6, size, "PNG"),
        "rotated.png": encode_noise(7, size, "PNG", exif=exif),
        "palette.png": palette.getvalue(),
        "grey16.png": grey16.getvalue(),
        "plain.webp": encode_noise(8, size, "WEBP"),
        "rotated.webp": encode_noise(9, size, "WEBP", exif=exif),
        "rgba.webp": rgba.getvalue(),
        "plain.bmp": encode_noise(10, size, "BMP"),
    }


def zip_bytes(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive of files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()
