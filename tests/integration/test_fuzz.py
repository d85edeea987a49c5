"""Damaged and hostile input gives an error of crowdgan's own, a skipped picture, or success: never anything else.

Every loop is seeded, so that a failing case comes again; its number is in the message.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crowdgan_core.cli.inspect import command as inspect_command
from crowdgan_core.dataset import DatasetFormat
from crowdgan_core.density import DensityEstimator
from crowdgan_core.errors import CrowdganError, DatasetError
from crowdgan_core.formats.hdf5 import Hdf5Format
from crowdgan_core.formats.tree import FolderFormat, ZipFormat
from crowdgan_core.labelling import LabelSettings, make_dataset
from crowdgan_core.pictures import focal_length_35mm, open_bytes, upright_rgb
from crowdgan_core.plugins import installed_plugins
from crowdgan_core.sources import OpenSource, SceneSource
from crowdgan_core.sources.cifar10 import Cifar10Source
from crowdgan_core.sources.crowdhuman import CrowdHumanSource, parse_line
from crowdgan_core.sources.dataset import DatasetSource
from crowdgan_core.sources.mnist import MnistSource
from crowdgan_core.sources.plain import FolderSource, ZipSource
from crowdgan_core.transform import Transform

HANG_S = 20
"""Seconds after which one case counts as a hang; the slowest takes a tenth of one."""

FORMATS: list[tuple[DatasetFormat, str]] = [(ZipFormat(), "out.zip"), (Hdf5Format(), "out.h5")]
"""Formats to write to, in turn, with the destination's name."""

SMALL = Transform(name="center-crop", size=(8, 8))

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
    """`make_dataset` in a folder of its own, with the promise checked that a destination is whole or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._estimators = [cls for _, cls in sorted(installed_plugins().density_estimators.items())]
        self._turn = 0
        self.outcomes = {"made": 0, "refused": 0}
        folder.mkdir()

    def run(self, open_source: Callable[[], OpenSource], name: object, *, density: bool = False) -> None:
        """Makes a dataset of a source; formats, estimators and `on_error` take turns."""
        self._turn += 1
        out_format, dest_name = FORMATS[self._turn % len(FORMATS)]
        dest = self._folder / dest_name
        done = False
        with one_case(name):
            label_settings = LabelSettings(
                dest=dest,
                format=out_format,
                estimator=self._estimator() if density else None,
                transform=SMALL,
                on_error="fail" if self._turn % 5 == 0 else "skip",
                workers=1,
            )
            summary = make_dataset(open_source(), "fuzz", label_settings)
            done = True
        left = [path.name for path in self._folder.iterdir()]
        assert left == ([dest_name] if done else []), f"case {name}: {left} left behind"
        if done:
            with closing(out_format.open(dest)) as reader:
                assert len(reader) == summary.pictures_out > 0
                reader.image(0)
            dest.unlink()
        self.outcomes["made" if done else "refused"] += 1

    def _estimator(self) -> DensityEstimator:
        return self._estimators[self._turn % len(self._estimators)]()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline that writes to a folder of its own."""
    return Pipeline(tmp_path / "out")


def opened(source: SceneSource, path: Path) -> Callable[[], OpenSource]:
    """Opening a source at a path, if it takes the path at all."""

    def attempt() -> OpenSource:
        source.fits([path], None)
        return source.open([path], None)

    return attempt


def pictures(encode_noise: Callable[..., bytes]) -> dict[str, bytes]:
    """Small valid pictures of every kind that is read, by file name."""
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


# Annotations


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_parse_line_turns_arbitrary_bytes_and_text_into_a_dataset_error_or_people(line: bytes | str) -> None:
    with one_case(repr(line)):
        parse_line(line, "a.odgt:1")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=5) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
BOXES = st.lists(st.floats() | st.integers() | JSON_VALUES, min_size=3, max_size=5) | JSON_VALUES
ROWS = st.fixed_dictionaries(
    {"fbox": BOXES},
    optional={"tag": JSON_VALUES, "vbox": BOXES, "hbox": BOXES, "extra": JSON_VALUES | st.just({"ignore": 1})},
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=5) | JSON_VALUES, st.lists(ROWS | JSON_VALUES, max_size=4) | JSON_VALUES)
def test_parse_line_turns_arbitrary_json_into_a_dataset_error_or_people_with_sound_boxes(
    identifier: object, boxes: object
) -> None:
    line = json.dumps({"ID": identifier, "gtboxes": boxes})
    with one_case(line):
        name, people = parse_line(line, "a.odgt:1")
        assert name == identifier
        assert isinstance(boxes, list)
        assert len(people) == len(boxes)
        assert not np.isinf(people.full_boxes).any()
        assert not (people.person_full_boxes[:, 2:] <= 0).any()


def test_mutated_annotations_are_refused_or_skipped_or_read(
    tmp_path: Path, pipeline: Pipeline, write_crowd: Callable[..., Path]
) -> None:
    dice = random.Random(17)
    folder = write_crowd(tmp_path / "crowd", count=4, size=(24, 32))
    annotations = folder / "annotation_train.odgt"
    valid = annotations.read_bytes()
    records = [json.loads(line) for line in valid.splitlines()]
    for case in range(400):
        if case % 2:
            annotations.write_bytes(mutated(valid, dice))
        else:
            annotations.write_text("\n".join(json.dumps(mutated_json(record, dice)) for record in records))
        pipeline.run(opened(CrowdHumanSource(), folder), case, density=True)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


# Pictures


def test_mutated_pictures_are_refused_or_decoded_whole(encode_noise: Callable[..., bytes]) -> None:
    dice = random.Random(18)
    decoded = 0
    valid = pictures(encode_noise)
    for case in range(1500):
        name = dice.choice(list(valid))
        data = mutated(valid[name], dice)
        with one_case(f"{case} ({name})"):
            image = open_bytes(data, name)
            focal_length_35mm(image)
            upright = upright_rgb(image, name)
            assert upright.mode == "RGB"
            assert min(upright.size) > 0
            decoded += 1
    assert 100 < decoded < 1400


def test_folders_of_mutated_pictures_are_made_into_datasets_of_what_is_left(
    tmp_path: Path, pipeline: Pipeline, encode_noise: Callable[..., bytes]
) -> None:
    dice = random.Random(19)
    valid = pictures(encode_noise)
    for case in range(60):
        folder = tmp_path / f"pictures{case}"
        folder.mkdir()
        for name, data in valid.items():
            (folder / name).write_bytes(mutated(data, dice))
        pipeline.run(opened(FolderSource(), folder), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


@pytest.mark.parametrize("value", ["9" * 400, "-5", "inf", b"\xff\xff", (1, 2), -5, 0], ids=repr)
def test_a_weird_focal_length_in_the_exif_data_counts_as_none(value: Any, encode_noise: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = value
    data = encode_noise(1, (24, 32), "JPEG", exif=_typed(exif, value))
    assert focal_length_35mm(open_bytes(data, "a.jpg")) is None


def _typed(exif: Image.Exif, value: Any) -> bytes:
    """An EXIF block whose focal length has the type that fits the value, not the one that the tag should have."""
    ascii_or_bytes = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None
    if ascii_or_bytes is not None:
        kind, count, data = 2 if isinstance(value, str) else 7, len(ascii_or_bytes), ascii_or_bytes
    elif isinstance(value, tuple):
        kind, count, data = 3, len(value), struct.pack(f"<{len(value)}H", *value)
    else:
        kind, count, data = 9, 1, struct.pack("<i", value)
    head = b"II*\0" + struct.pack("<I", 8)
    first = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + struct.pack("<I", 0)
    inline = len(data) <= 4
    stored = data.ljust(4, b"\0") if inline else struct.pack("<I", 44)
    second = struct.pack("<HHHI", 1, 0xA405, kind, count) + stored + struct.pack("<I", 0)
    return b"Exif\0\0" + head + first + second + (b"" if inline else data)


@pytest.mark.parametrize("size", [(0, 8), (8, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int], encode_noise: Callable[..., bytes]) -> None:
    data = bytearray(encode_noise(1, (8, 8), "BMP"))
    data[18:26] = struct.pack("<ii", size[1], size[0])
    with pytest.raises(DatasetError, match=r"^a\.bmp: "):
        upright_rgb(open_bytes(bytes(data), "a.bmp"), "a.bmp")


# Archives


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_mutated_zips_of_pictures_are_refused_or_made_into_datasets_of_what_is_left(
    compression: int, tmp_path: Path, pipeline: Pipeline, encode_noise: Callable[..., bytes]
) -> None:
    dice = random.Random(20 + compression)
    files = {f"a/{index}.png": encode_noise(index, (8, 8), "PNG") for index in range(3)}
    valid = zipped(files, compression)
    for case in range(200):
        path = tmp_path / f"pictures{case}.zip"
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


# MNIST


def idx(array: np.ndarray, kind: int) -> bytes:
    """An IDX file that is not packed."""
    return struct.pack(f">{1 + array.ndim}I", kind, *array.shape) + array.astype(np.uint8).tobytes()


def test_mutated_mnist_files_are_refused_or_read(tmp_path: Path, pipeline: Pipeline) -> None:
    dice = random.Random(22)
    images, labels = tmp_path / "t-images-idx3-ubyte.gz", tmp_path / "t-labels-idx1-ubyte.gz"
    valid_images = idx(np.arange(2 * 28 * 28).reshape(2, 28, 28), 0x803)
    valid_labels = idx(np.array([3, 4]), 0x801)
    for case in range(500):
        parts = [valid_images, valid_labels]
        which = dice.randrange(2)
        if case % 2:  # inside of the packing, else outside
            parts[which] = mutated(parts[which], dice)
        packed = [gzip.compress(part, 1) for part in parts]
        if not case % 2:
            packed[which] = mutated(packed[which], dice)
        images.write_bytes(packed[0])
        labels.write_bytes(packed[1])
        pipeline.run(opened(MnistSource(), images), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


SHAPES_WITHOUT_PIXELS = [(0, 28, 28), (0, 2**32 - 1, 2**32 - 1), (2, 0, 0), (2, 0, 2**32 - 1), (2**32 - 1, 0, 0)]


@pytest.mark.parametrize("shape", SHAPES_WITHOUT_PIXELS)
def test_an_mnist_file_without_pixels_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    images, labels = tmp_path / "t-images-idx3-ubyte.gz", tmp_path / "t-labels-idx1-ubyte.gz"
    images.write_bytes(gzip.compress(struct.pack(">4I", 0x803, *shape)))
    labels.write_bytes(gzip.compress(idx(np.zeros(min(shape[0], 2)), 0x801)))
    with pytest.raises(DatasetError, match=r"t-images-idx3-ubyte\.gz: "):
        MnistSource().open([images], None)


# CIFAR-10


def cifar_batch(count: int = 2) -> dict[str, Any]:
    """What a batch holds."""
    data = np.arange(count * 3072, dtype=np.int64).astype(np.uint8).reshape(count, 3072)
    names = [f"picture{index}.png" for index in range(count)]
    return {"batch_label": "batch", "labels": list(range(count)), "data": data, "filenames": names}


def cifar_tar(batches: list[bytes]) -> bytes:
    """An archive as the dataset comes, not packed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number, data in enumerate(batches, 1):
            info = tarfile.TarInfo(f"cifar-10-batches-py/data_batch_{number}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def write_cifar(path: Path, batches: list[bytes]) -> Path:
    path.write_bytes(gzip.compress(cifar_tar(batches), 1))
    return path


@pytest.mark.parametrize("protocol", range(5))
def test_a_cifar_archive_of_any_pickle_protocol_is_read(protocol: int, tmp_path: Path, pipeline: Pipeline) -> None:
    path = write_cifar(tmp_path / "cifar-10-python.tar.gz", [pickle.dumps(cifar_batch(), protocol)] * 5)
    pictures_read = list(Cifar10Source().open([path], None))
    assert [item.record.label for item in pictures_read if item.record] == [0, 1] * 5
    expected = np.array(cifar_batch()["data"]).reshape(2, 3, 32, 32).transpose(0, 2, 3, 1)
    for index in range(2):
        np.testing.assert_array_equal(np.asarray(pictures_read[index].picture.open()), expected[index])


def test_mutated_cifar_archives_are_refused_or_read(tmp_path: Path, pipeline: Pipeline) -> None:
    dice = random.Random(23)
    for case in range(500):
        batches = [pickle.dumps(cifar_batch(), 2 + case % 3)] * 5
        if case % 3 == 0:
            batches[dice.randrange(5)] = mutated(batches[0], dice)
        tar = cifar_tar(batches)
        if case % 3 == 1:
            tar = mutated(tar, dice)
        packed = gzip.compress(tar, 1)
        if case % 3 == 2:
            packed = mutated(packed, dice)
        path = tmp_path / "cifar-10-python.tar.gz"
        path.write_bytes(packed)
        pipeline.run(opened(Cifar10Source(), path), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


class Asks:
    """Pickles to a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def calling_batches(witness: Path) -> dict[str, tuple[object, str]]:
    """Batches that would make the file `witness`, and the name that the refusal must contain."""
    code = f"open({str(witness)!r}, 'w').close()"
    system = f"{os.system.__module__}.system"
    return {
        "os.system": (Asks(os.system, f"touch {witness}"), system),
        "eval": (Asks(eval, code), "builtins.eval"),
        "exec": (Asks(exec, code), "builtins.exec"),
        "getattr": (Asks(getattr, "text", "upper"), "builtins.getattr"),
        "in the labels": (cifar_batch() | {"labels": [Asks(os.system, f"touch {witness}")]}, system),
        "in the arguments of an array's type": (Asks(np.dtype, Asks(eval, code)), "builtins.eval"),
        "in the arguments of a call": (Asks(print, Asks(eval, code)), "builtins.print"),
    }


@pytest.mark.parametrize("kind", list(calling_batches(Path())))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_cifar_pickle_that_asks_for_code_is_refused_by_name_and_runs_nothing(
    kind: str, protocol: int, tmp_path: Path
) -> None:
    witness = tmp_path / "executed"
    batch, asked = calling_batches(witness)[kind]
    path = write_cifar(tmp_path / "cifar-10-python.tar.gz", [pickle.dumps(batch, protocol)] * 5)
    wanted = asked if protocol >= 3 else asked.replace("builtins", "__builtin__")
    refusal = f"it asks for {wanted}: refused, a batch holds arrays, texts and numbers alone"
    with pytest.raises(DatasetError) as caught:
        Cifar10Source().open([path], None)
    assert str(caught.value).removeprefix(f"{path}:cifar-10-batches-py/data_batch_1: ").replace(
        "__builtin__", "builtins"
    ) == refusal.replace("__builtin__", "builtins")
    assert not witness.exists()


def opcodes(value: object) -> bytes:
    """A value as it lies inside a pickle."""
    return pickle.dumps(value, 2)[2:-1]


DTYPE = b"cnumpy\ndtype\n"
FORGED_STATE = opcodes((3, "|", None, ("a",), {"a": (np.dtype("O"), 10**8)}, 8, 1, 63))
FORGED = {
    "an array of forged pointers": b"cnumpy\nndarray\n"
    + opcodes(((4,),))
    + b"R"
    + opcodes((1, (4,), np.dtype("O"), False, b"A" * 32))
    + b"b.",
    "a type with a field far outside": b"cnumpy\nndarray\n("
    + opcodes((4,))
    + DTYPE
    + opcodes(("V8", False, True))
    + b"R"
    + FORGED_STATE
    + b"bt"
    + b"R.",
    "an index of 2 billion": b"}r" + struct.pack("<I", 2**31 - 1) + b".",
    "an endless text": b"X" + struct.pack("<I", 2**32 - 1) + b"x.",
    "an array of a terabyte": b"cnumpy\nndarray\n" + opcodes(((2**40,), "u1")) + b"R.",
    "a deep list": b"]" * 100_000 + b"a" * 99_999 + b".",
}
"""Pickles at which numpy or the unpickler in C crash, or allocate what the machine does not have."""

OPEN_CIFAR = """
import sys
from pathlib import Path
from crowdgan_core.errors import DatasetError
from crowdgan_core.sources.cifar10 import Cifar10Source
try:
    Cifar10Source().open([Path(sys.argv[1])], None)
except DatasetError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("kind", list(FORGED))
def test_a_forged_cifar_pickle_is_refused_without_a_crash(kind: str, tmp_path: Path) -> None:
    path = write_cifar(tmp_path / "cifar-10-python.tar.gz", [b"\x80\x02" + FORGED[kind]] * 5)
    done = subprocess.run([sys.executable, "-c", OPEN_CIFAR, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"{path}:cifar-10-batches-py/data_batch_1: "), done.stderr


def test_a_cifar_archive_whose_entries_run_in_a_circle_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("cifar-10-batches-py/readme")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -512)  # a size below 0, in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf() + bytes(header) + bytes(1024)))
    with one_case("circle"), pytest.raises(DatasetError, match="damaged archive"):
        Cifar10Source().open([path], None)


def test_a_cifar_batch_that_is_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        info.type, info.linkname = tarfile.SYMTYPE, "data_batch_1"
        archive.addfile(info)
    with pytest.raises(DatasetError, match="data_batch_1: it must be a file of at most"):
        Cifar10Source().open([path], None)


# Datasets


@pytest.fixture
def datasets(tmp_path: Path, write_crowd: Callable[..., Path]) -> dict[str, Path]:
    """A small dataset in each format, labelled by class, and one by value."""
    crowd = CrowdHumanSource().open([write_crowd(tmp_path / "crowd", count=3, size=(24, 32))], None)
    estimator = installed_plugins().density_estimators["threshold"]()
    formats = {"made.zip": ZipFormat(), "made": FolderFormat(), "made.h5": Hdf5Format(), "values.zip": ZipFormat()}
    for name, made_format in formats.items():
        kind = "value" if name.startswith("values") else "class"
        label_settings = LabelSettings(
            dest=tmp_path / name,
            format=made_format,
            estimator=estimator,
            transform=SMALL,
            label_kind=kind,
            workers=1,
        )
        make_dataset(crowd, "crowdhuman: crowd", label_settings)
    return {name: tmp_path / name for name in formats}


def inspect_like_a_user(path: Path, folder: Path) -> None:
    """`crowdgan inspect` in both forms, and with a contact sheet."""
    sheet = folder / "sheet.png"
    for arguments in ([], ["--json"], ["--contact-sheet", str(sheet), "--overwrite"]):
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
        with redirect_stdout(output), redirect_stderr(output):
            inspect_command.main([str(path), *arguments], standalone_mode=False)


def read_every_way(path: Path, name: object, pipeline: Pipeline, folder: Path) -> None:
    """Inspects a dataset, and makes another one of it."""
    with one_case(name):
        inspect_like_a_user(path, folder)
    pipeline.run(opened(DatasetSource(), path), name)


@pytest.mark.parametrize("name", ["made.zip", "values.zip", "made"])
def test_datasets_with_weird_metadata_are_refused_or_read(
    name: str, tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    dice = random.Random(24)
    with closing(ZipFormat().open(datasets[name])) as reader:
        images = {record.name: reader.image(index) for index, record in enumerate(reader.metadata.pictures)}
        labels = [[record.name, record.label] for record in reader.metadata.pictures]
        index = {"labels": labels, "crowdgan": json.loads(json.dumps(reader.metadata.to_json()))}
    files = {picture: ZipFormat().encode(pixels) for picture, pixels in images.items()}
    for case in range(300):
        weird = mutated_json(index if case % 3 else {"labels": labels}, dice)
        if name == "made":
            path = datasets[name]
            (path / "dataset.json").write_text(json.dumps(weird))
        else:
            path = tmp_path / f"weird{case}.zip"
            path.write_bytes(zipped({**files, "dataset.json": json.dumps(weird).encode()}))
        read_every_way(path, f"{case}: {weird}", pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_mutated_zip_datasets_are_refused_or_read(
    tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    dice = random.Random(25)
    valid = datasets["made.zip"].read_bytes()
    for case in range(200):
        path = tmp_path / f"mutated{case}.zip"
        path.write_bytes(mutated(valid, dice))
        read_every_way(path, case, pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_hdf5_datasets_with_weird_metadata_are_refused_or_read(
    tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    dice = random.Random(26)
    path = datasets["made.h5"]
    with h5py.File(path) as file:
        metadata = json.loads(file.attrs["crowdgan"])
    for case in range(300):
        weird = mutated_json(metadata, dice)
        with h5py.File(path, "r+", libver=("v108", "latest")) as file:
            file.attrs["crowdgan"] = np.bytes_(json.dumps(weird))
        read_every_way(path, f"{case}: {weird}", pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def put(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """Replaces a dataset."""

    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file.create_dataset(name, **options)

    return change


def link(target: Any) -> Callable[[h5py.File], None]:
    """Replaces the pictures by a link."""

    def change(file: h5py.File) -> None:
        del file["images"]
        file["images"] = target

    return change


def attribute(value: Any) -> Callable[[h5py.File], None]:
    """Replaces the metadata."""

    def change(file: h5py.File) -> None:
        file.attrs["crowdgan"] = value

    return change


STRUCTURES: dict[str, Callable[[h5py.File], None]] = {
    "no pictures": lambda file: file.pop("images"),
    "no metadata": lambda file: file.attrs.pop("crowdgan"),
    "pictures without data": put("images", data=h5py.Empty("u1")),
    "one number": put("images", data=np.uint8(3)),
    "floats": put("images", data=np.zeros((3, 8, 8, 3))),
    "texts": put("images", data=["a", "b", "c"]),
    "one channel": put("images", data=np.zeros((3, 8, 8, 1), np.uint8)),
    "pictures of size 0": put("images", shape=(3, 0, 8, 3), dtype="u1"),
    "two pictures": put("images", data=np.zeros((2, 8, 8, 3), np.uint8)),
    "pictures of a terabyte": put("images", shape=(3, 2**19, 2**19, 3), dtype="u1", chunks=(1, 64, 64, 3)),
    "a group": lambda file: (file.pop("images"), file.create_group("images")),
    "a link to itself": link(h5py.SoftLink("/images")),
    "a link to nothing": link(h5py.SoftLink("/nothing")),
    "a link to a file that is not there": link(h5py.ExternalLink("nothing.h5", "/images")),
    "a number as metadata": attribute(3),
    "numbers as metadata": attribute(np.arange(3)),
    "empty metadata": attribute(h5py.Empty("S1")),
    "bytes as metadata": attribute(np.bytes_(b"\xff\xfe")),
    "texts as metadata": attribute(["{}", "{}"]),
}
"""Sound HDF5 files that are no sound datasets."""


@pytest.mark.parametrize("kind", list(STRUCTURES))
def test_an_hdf5_file_of_another_structure_is_refused(
    kind: str, tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    with h5py.File(datasets["made.h5"], "r+") as file:
        STRUCTURES[kind](file)
    with pytest.raises(DatasetError, match=r"made\.h5"):
        inspect_like_a_user(datasets["made.h5"], tmp_path)
    read_every_way(datasets["made.h5"], kind, pipeline, tmp_path)
    assert pipeline.outcomes == {"made": 0, "refused": 1}


READ_HDF5 = """
import sys, warnings
from contextlib import closing
from pathlib import Path
from crowdgan_core.errors import CrowdganError
from crowdgan_core.formats.hdf5 import Hdf5Format
from crowdgan_core.inspection import contact_sheet, inspect_dataset
warnings.simplefilter("error")
for path in sys.argv[1:]:
    print(path, flush=True)
    try:
        with closing(Hdf5Format().open(Path(path))) as reader:
            inspect_dataset(reader)
            contact_sheet(reader)
            for index in range(len(reader)):
                reader.image(index)
    except CrowdganError:
        pass
"""
"""Reads HDF5 datasets in a process of its own, since libhdf5 may crash or hang on damaged ones."""


HANG = "a hang"


def read_hdf5_files(paths: list[Path], hang_s: float = 10) -> dict[Path, str]:
    """Reads datasets, going on after the one at which the process ended badly; returns those with how it ended."""
    bad = {}
    while paths:
        command = [sys.executable, "-c", READ_HDF5, *map(str, paths)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=hang_s)
            output, ending = done.stdout, f"exit code {done.returncode}: {done.stderr[-600:]}"
            if done.returncode == 0:
                break
        except subprocess.TimeoutExpired as error:
            output, ending = (error.stdout or b"").decode(), HANG
        last = Path(output.splitlines()[-1])
        bad[last] = ending
        paths = paths[paths.index(last) + 1 :]
    return bad


def test_mutated_hdf5_datasets_are_refused_or_read_without_a_crash_or_hang_of_libhdf5(
    tmp_path: Path, datasets: dict[str, Path]
) -> None:
    dice = random.Random(27)
    valid = datasets["made.h5"].read_bytes()
    paths = [tmp_path / f"mutated{case}.h5" for case in range(600)]
    for path in paths:
        path.write_bytes(mutated(valid, dice))
    bad = read_hdf5_files(paths)
    assert bad == {}


def test_hdf5_metadata_in_a_heap_is_refused_since_libhdf5_reads_a_damaged_heap_for_ever(
    datasets: dict[str, Path],
) -> None:
    path = datasets["made.h5"]
    with h5py.File(path, "r+") as file:
        file.attrs["crowdgan"] = file.attrs["crowdgan"].decode()
    with pytest.raises(DatasetError, match="the attribute crowdgan must be a text of fixed length"):
        Hdf5Format().open(path)
    data = bytearray(path.read_bytes())
    first = data.index(b"GCOL") + 16
    data[first : first + 16] = bytes(16)
    path.write_bytes(data)
    assert read_hdf5_files([path]) == {}


# Names

AS_IN_MOST_LOCALES = {"PYTHONIOENCODING": "utf-8:strict"}
"""Stdout refuses what is no text, in all locales but C."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
@pytest.mark.parametrize(
    ("name", "on_error"),
    [
        (b"caf\xe9.jpg", "skip"),
        (b"[/red].jpg", "skip"),
        (b"[bold].jpg", "skip"),
        (b"two\nlines.jpg", "skip"),
        (b"caf\xe9.jpg", "fail"),
        (b"[/red].jpg", "fail"),
        (b"[bold].jpg", "fail"),
        (b"two\nlines.jpg", "fail"),
    ],
)
def test_a_damaged_picture_with_a_weird_name_is_reported_in_one_line_or_skipped(
    name: bytes, on_error: str, tmp_path: Path, crowdgan: list[str], encode_noise: Callable[..., bytes]
) -> None:
    damaged = tmp_path / "photos" / os.fsdecode(name)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    (tmp_path / "photos" / "sound.jpg").write_bytes(encode_noise(1, (24, 32)))
    command = [*crowdgan, "convert", "--source", "photos", "--dest", "out.zip", "--on-error", on_error]
    environment = {**os.environ, **AS_IN_MOST_LOCALES, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    if on_error == "skip":
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(ZipFormat().open(tmp_path / "out.zip")) == 1
        shown = "[bold]" if b"[bold]" in name else "photos"
        assert shown in done.stdout.decode()
    else:
        assert done.returncode == 1
        assert done.stderr.startswith(b"crowdgan: error: photos/")
        assert done.stderr.count(b"\n") == 1
