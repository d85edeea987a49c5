"""Damaged and malicious CIFAR-10 archives; functions in their pickles must never be called."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.sources.cifar10 import Cifar10Source
from tests.integration.fuzz.tools import Pipeline, checked_case, mutate_bytes, source_opener


def cifar_batch(count: int = 2) -> dict[str, Any]:
    """Contents of a batch file."""
    data = np.arange(count * 3072, dtype=np.int64).astype(np.uint8).reshape(count, 3072)
    names = [f"image{index}.png" for index in range(count)]
    return {"batch_label": "batch", "labels": list(range(count)), "data": data, "filenames": names}


def cifar_tar(batches: list[bytes]) -> bytes:
    """The dataset as an uncompressed tar archive."""
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
    images_read = list(Cifar10Source().open([path], None))
    assert [item.record.label for item in images_read if item.record] == [0, 1] * 5
    expected = np.array(cifar_batch()["data"]).reshape(2, 3, 32, 32).transpose(0, 2, 3, 1)
    for index in range(2):
        np.testing.assert_array_equal(np.asarray(images_read[index].image.open()), expected[index])


def test_mutated_cifar_archives_are_refused_or_read(tmp_path: Path, pipeline: Pipeline) -> None:
    rng = random.Random(23)
    for case in range(500):
        batches = [pickle.dumps(cifar_batch(), 2 + case % 3)] * 5
        if case % 3 == 0:
            batches[rng.randrange(5)] = mutate_bytes(batches[0], rng)
        tar = cifar_tar(batches)
        if case % 3 == 1:
            tar = mutate_bytes(tar, rng)
        compressed = gzip.compress(tar, 1)
        if case % 3 == 2:
            compressed = mutate_bytes(compressed, rng)
        path = tmp_path / "cifar-10-python.tar.gz"
        path.write_bytes(compressed)
        pipeline.run(source_opener(Cifar10Source(), path), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


class PickledCall:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def malicious_batches(marker: Path) -> dict[str, tuple[object, str]]:
    """Batches that would create the file `marker`, and the function name that the error message must contain."""
    code = f"open({str(marker)!r}, 'w').close()"
    system = f"{os.system.__module__}.system"
    return {
        "os.system": (PickledCall(os.system, f"touch {marker}"), system),
        "eval": (PickledCall(eval, code), "builtins.eval"),
        "exec": (PickledCall(exec, code), "builtins.exec"),
        "getattr": (PickledCall(getattr, "text", "upper"), "builtins.getattr"),
        "in the labels": (cifar_batch() | {"labels": [PickledCall(os.system, f"touch {marker}")]}, system),
        "in the arguments of an array's type": (PickledCall(np.dtype, PickledCall(eval, code)), "builtins.eval"),
        "in the arguments of a call": (PickledCall(print, PickledCall(eval, code)), "builtins.print"),
    }


@pytest.mark.parametrize("kind", list(malicious_batches(Path())))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_cifar_pickle_that_calls_a_function_is_refused_by_name_and_not_executed(
    kind: str, protocol: int, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    batch, function_name = malicious_batches(marker)[kind]
    path = write_cifar(tmp_path / "cifar-10-python.tar.gz", [pickle.dumps(batch, protocol)] * 5)
    expected = function_name if protocol >= 3 else function_name.replace("builtins", "__builtin__")
    message = f"requests {expected}: refused; a batch may contain only arrays, strings and numbers"
    with pytest.raises(DatasetError) as caught:
        Cifar10Source().open([path], None)
    assert str(caught.value).removeprefix(f"{path}:cifar-10-batches-py/data_batch_1: ").replace(
        "__builtin__", "builtins"
    ) == message.replace("__builtin__", "builtins")
    assert not marker.exists()


def opcodes(value: object) -> bytes:
    """Pickle opcodes that push a value, without the protocol header and the STOP opcode."""
    return pickle.dumps(value, 2)[2:-1]


DTYPE = b"cnumpy\ndtype\n"
FORGED_STATE = opcodes((3, "|", None, ("a",), {"a": (np.dtype("O"), 10**8)}, 8, 1, 63))
FORGED = {
    "an array with forged pointers": b"cnumpy\nndarray\n"
    + opcodes(((4,),))
    + b"R"
    + opcodes((1, (4,), np.dtype("O"), False, b"A" * 32))
    + b"b.",
    "a dtype with a field outside the item": b"cnumpy\nndarray\n("
    + opcodes((4,))
    + DTYPE
    + opcodes(("V8", False, True))
    + b"R"
    + FORGED_STATE
    + b"bt"
    + b"R.",
    "an index of 2 billion": b"}r" + struct.pack("<I", 2**31 - 1) + b".",
    "a string of 4 GiB": b"X" + struct.pack("<I", 2**32 - 1) + b"x.",
    "a 1 TiB array": b"cnumpy\nndarray\n" + opcodes(((2**40,), "u1")) + b"R.",
    "a deeply nested list": b"]" * 100_000 + b"a" * 99_999 + b".",
}
"""Pickles at which numpy or the C unpickler crashes, or allocates more memory than available."""

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
    completed = subprocess.run([sys.executable, "-c", OPEN_CIFAR, path], capture_output=True, text=True, timeout=60)
    assert completed.returncode == 1, completed.stderr
    assert completed.stderr.startswith(f"{path}:cifar-10-batches-py/data_batch_1: "), completed.stderr


def test_a_cifar_archive_with_cyclic_entries_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("cifar-10-batches-py/readme")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -512)  # a negative size, in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf() + bytes(header) + bytes(1024)))
    with checked_case("cyclic entries"), pytest.raises(DatasetError, match="damaged archive"):
        Cifar10Source().open([path], None)


def test_a_cifar_batch_that_is_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        info.type, info.linkname = tarfile.SYMTYPE, "data_batch_1"
        archive.addfile(info)
    with pytest.raises(DatasetError, match="data_batch_1: must be a file of at most"):
        Cifar10Source().open([path], None)
