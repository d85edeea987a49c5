"""What the fuzz tests share: mutations of files and JSON, and the checks of one case.

Damaged and hostile input gives an error of crowdgan's own, a skipped image, or success: never anything else. Every
loop is seeded, so that a failing case comes again; its number is in the message.
"""

from __future__ import annotations

import io
import json
import random
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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
from crowdgan_core.pipeline.build import BuildConfig, build_dataset
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SceneSource, SourceReader

HANG_S = 20
"""Seconds after which one case counts as a hang; the slowest takes a tenth of one."""

FORMATS: list[tuple[DatasetFormat, str]] = [(ZipFormat(), "out.zip"), (Hdf5Format(), "out.h5")]
"""Formats to write to, in turn, with the destination's name."""

SMALL = ImageTransform(name="center-crop", size=(8, 8))

INTERESTING = (b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff" * 8, b"\n")
"""Numbers at the border of their range, as lengths and offsets in binary files like least."""


class Hang(BaseException):
    """A case took longer than `HANG_S`; no `Exception`, so that nothing that reads damaged files catches it."""


@contextmanager
def one_case(name: object) -> Iterator[None]:
    """Fails with the case's name where it hangs, or raises anything but a `CrowdganError`, which is passed over."""
    limited = hasattr(signal, "setitimer")
    if limited:
        signal.signal(signal.SIGALRM, _hang)
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    except CrowdganError as error:
        assert str(error), f"case {name}: an error without a message"
    except Exception as error:
        raise AssertionError(f"case {name}: {type(error).__name__}: {error}") from error
    finally:
        if limited:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _hang(number: int, frame: object) -> None:
    raise Hang


def mutated(data: bytes, dice: random.Random) -> bytes:
    """`data` after one to four random changes; now and then nothing but random bytes."""
    if dice.random() < 0.03:
        return dice.randbytes(dice.randrange(200))
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        dice.choice((_flip, _truncate, _splice, _insert, _overwrite, _remove))(changed, dice)
    return bytes(changed)


def _place(data: bytearray, dice: random.Random) -> int:
    """A position, every second time near an end, where formats keep what matters."""
    if dice.random() < 0.5 or len(data) < 128:
        return dice.randrange(len(data) + 1)
    return dice.randrange(64) if dice.random() < 0.5 else len(data) - dice.randrange(64)


def _flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 4, 30))):
        place = _place(data, dice)
        if place < len(data):
            data[place] ^= 1 << dice.randrange(8)


def _truncate(data: bytearray, dice: random.Random) -> None:
    del data[_place(data, dice) :]


def _splice(data: bytearray, dice: random.Random) -> None:
    start, length, place = _place(data, dice), dice.randrange(1, 100), _place(data, dice)
    data[place : place + dice.choice((0, length))] = data[start : start + length]


def _insert(data: bytearray, dice: random.Random) -> None:
    place = _place(data, dice)
    data[place:place] = dice.randbytes(dice.choice((1, 2, 7, 64)))


def _overwrite(data: bytearray, dice: random.Random) -> None:
    place, value = _place(data, dice), dice.choice(INTERESTING)
    data[place : place + len(value)] = value


def _remove(data: bytearray, dice: random.Random) -> None:
    place = _place(data, dice)
    del data[place : place + dice.choice((1, 4, 50))]


WEIRD = (
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
"""JSON values that a careless reader trips over."""


def mutated_json(value: Any, dice: random.Random) -> Any:
    """A copy of JSON data in which one to three random places hold something weird, are doubled or are gone."""
    copied = json.loads(json.dumps(value))
    for _ in range(dice.randint(1, 3)):
        place = copied
        while isinstance(place, (dict, list)) and place:
            key = dice.choice(list(place)) if isinstance(place, dict) else dice.randrange(len(place))
            inside = place[key]
            if not isinstance(inside, (dict, list)) or not inside or dice.random() < 0.3:
                _spoil(place, key, dice)
                break
            place = inside
    return copied


def _spoil(place: Any, key: Any, dice: random.Random) -> None:
    change = dice.random()
    if change < 0.7:
        place[key] = deepcopy(dice.choice(WEIRD))
    elif change < 0.85:
        del place[key]
    elif isinstance(place, list):
        place.append(deepcopy(place[key]))
    else:
        place[f"{key}_more"] = deepcopy(place[key])


class Pipeline:
    """`build_dataset` in a folder of its own, with the promise checked that a destination is whole or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._estimators = [cls for _, cls in sorted(installed_plugins().density_estimators.items())]
        self._turn = 0
        self.outcomes = {"made": 0, "refused": 0}
        folder.mkdir()

    def run(self, open_source: Callable[[], SourceReader], name: object, *, density: bool = False) -> None:
        """Makes a dataset of a source; formats, estimators and `on_error` take turns."""
        self._turn += 1
        out_format, dest_name = FORMATS[self._turn % len(FORMATS)]
        dest = self._folder / dest_name
        done = False
        with one_case(name):
            label_settings = BuildConfig(
                dest=dest,
                format=out_format,
                estimator=self._estimator() if density else None,
                transform=SMALL,
                on_error="fail" if self._turn % 5 == 0 else "skip",
                workers=1,
            )
            summary = build_dataset(open_source(), "fuzz", label_settings)
            done = True
        left = [path.name for path in self._folder.iterdir()]
        assert left == ([dest_name] if done else []), f"case {name}: {left} left behind"
        if done:
            with closing(out_format.open(dest)) as reader:
                assert len(reader) == summary.num_written > 0
                reader.image(0)
            dest.unlink()
        self.outcomes["made" if done else "refused"] += 1

    def _estimator(self) -> DensityEstimator:
        return self._estimators[self._turn % len(self._estimators)]()


def opened(source: SceneSource, path: Path) -> Callable[[], SourceReader]:
    """Opening a source at a path, if it takes the path at all."""

    def attempt() -> SourceReader:
        source.matches([path], None)
        return source.open([path], None)

    return attempt


def images(encode_noise: Callable[..., bytes]) -> dict[str, bytes]:
    """Small valid images of every kind that is read, by file name."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 35
    size = (24, 32)
    palette, grey16, rgba = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.open(io.BytesIO(encode_noise(1, size, "PNG"))).quantize(16).save(palette, "PNG", transparency=3)
    Image.fromarray(np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)).save(grey16, "PNG")
    Image.open(io.BytesIO(encode_noise(2, size, "PNG"))).convert("RGBA").save(rgba, "WEBP", lossless=True)
    return {
        "plain.jpg": encode_noise(3, size, "JPEG"),
        "progressive.jpg": encode_noise(4, size, "JPEG", progressive=True),
        "turned.jpg": encode_noise(5, size, "JPEG", exif=exif),
        "plain.png": encode_noise(6, size, "PNG"),
        "turned.png": encode_noise(7, size, "PNG", exif=exif),
        "palette.png": palette.getvalue(),
        "grey16.png": grey16.getvalue(),
        "plain.webp": encode_noise(8, size, "WEBP"),
        "turned.webp": encode_noise(9, size, "WEBP", exif=exif),
        "rgba.webp": rgba.getvalue(),
        "plain.bmp": encode_noise(10, size, "BMP"),
    }


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()
