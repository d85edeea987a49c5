"""Storages inside a pickle: each one is a whole file of `torch.save`, in bytes.

The first form of that file, which torch still writes here, is five pickles and raw bytes one after the other: a magic
number, a version, facts of the machine, the object, the keys of its storages; then per key its length and its numbers.
The later form is a zip archive of the object's pickle and one entry per storage.

Source: torch.save and torch.load, behaviour of torch 1.7 to 2.13.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field

import numpy as np

from crowdgan_stylegan3.io.pickle_reader.interpreter import no_names, read_pickle
from crowdgan_stylegan3.io.pickle_reader.limits import Budget, Stream, refused, shown
from crowdgan_stylegan3.io.pickle_reader.tensors import PickledStorage, StorageType

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the first form."""

VERSION = 1001
"""Second pickle of the first form; there has been no other."""

ZIP_MAGIC = b"PK\x03\x04"
"""Start of the later form, as of any zip archive."""

ZIP_ENTRY = b"PK\x01\x02"
"""Start of each entry of a zip archive's table of contents."""

MAX_ZIP_ENTRIES = 100
"""Most entries of an archive: each takes memory, and torch writes about 6 for a storage."""

ENCRYPTED = 1
"""Bit of a zip entry's flags."""

NUMEL_BYTES = 8
"""Bytes before a storage's numbers: how many there are, signed, little endian."""

STORAGE_TYPES = {
    "DoubleStorage": StorageType(np.dtype("<f8")),
    "FloatStorage": StorageType(np.dtype("<f4")),
    "HalfStorage": StorageType(np.dtype("<f2")),
    "LongStorage": StorageType(np.dtype("<i8")),
    "IntStorage": StorageType(np.dtype("<i4")),
    "ShortStorage": StorageType(np.dtype("<i2")),
    "CharStorage": StorageType(np.dtype("i1")),
    "ByteStorage": StorageType(np.dtype("u1")),
    "BoolStorage": StorageType(np.dtype("?")),
    "UntypedStorage": StorageType(np.dtype("u1")),
}
"""Classes of torch that name the kind of numbers; numpy has no bfloat16."""

STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")
"""Modules that those classes are found in."""


def load_storage(data: object, budget: Budget) -> PickledStorage:
    """Stands for `torch.storage._load_from_bytes`: the storage in a file of `torch.save`; its numbers are not copied.

    Raises:
        CheckpointError: the file holds anything but one storage.
    """
    if not isinstance(data, bytes):
        raise refused(f"a storage of {shown(data)}; it must be bytes")
    budget.spend_bytes(len(data))
    load = _load_zip if data.startswith(ZIP_MAGIC) else _load_stream
    storage = load(data, budget)
    if not isinstance(storage, PickledStorage):
        raise refused(f"the bytes of a storage hold {shown(storage)}")
    if storage.values is None:
        raise refused("the bytes of a storage lack its numbers")
    return storage


@dataclass
class _Storages:
    """The storages that an object's pickle refers to, by key."""

    by_key: dict[str, PickledStorage] = field(default_factory=dict)

    def __call__(self, identity: object) -> PickledStorage:
        """The storage of a persistent id: `("storage", type, key, location, numel)`, then None in the first form."""
        match identity:
            case ("storage", StorageType(dtype), str(key), str(), int(numel), *views) if views in ([], [None]):
                return self.by_key.setdefault(key, PickledStorage(dtype, numel))
        raise refused("a persistent id inside a storage's bytes that names no storage")


def _storage_type(module: str, name: str) -> object:
    if module in STORAGE_MODULES and name in STORAGE_TYPES:
        return STORAGE_TYPES[name]
    raise refused(f"a storage inside the pickle asks for {shown(f'{module}.{name}')}, which a model does not need")


def _load_stream(data: bytes, budget: Budget) -> object:
    stream = Stream.of(data)
    magic, version, machine = (read_pickle(stream, no_names, budget) for _ in range(3))
    if magic != MAGIC or version != VERSION:
        raise refused("the bytes of a storage are no file of torch.save")
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise refused("a storage that was written on a big-endian machine")
    storages = _Storages()
    value = read_pickle(stream, _storage_type, budget, storages)
    keys = read_pickle(stream, no_names, budget)
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in storages.by_key:
            raise refused(f"numbers of the storage {shown(key)}, which the pickle inside does not have")
        storage = storages.by_key[key]
        numel = int.from_bytes(stream.read(NUMEL_BYTES), "little", signed=True)
        _fill(storage, data, stream.tell(), numel * storage.dtype.itemsize)
        stream.skip(numel * storage.dtype.itemsize)
    return value


def _load_zip(data: bytes, budget: Budget) -> object:
    if data.count(ZIP_ENTRY) > MAX_ZIP_ENTRIES:
        raise refused(f"an archive of torch.save with more than {MAX_ZIP_ENTRIES} entries for one storage")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise refused(f"an archive of torch.save with {len(names)} entries data.pkl; it must be one")
        root = names[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and _entry(archive, f"{root}byteorder", budget) != b"little":
            raise refused("a storage that was written on a big-endian machine")
        storages = _Storages()
        value = read_pickle(Stream.of(_entry(archive, names[0], budget)), _storage_type, budget, storages)
        for key, storage in storages.by_key.items():
            numbers = _entry(archive, f"{root}data/{key}", budget)
            _fill(storage, numbers, 0, len(numbers))
    return value


def _entry(archive: zipfile.ZipFile, name: str, budget: Budget) -> bytes:
    """The bytes of an entry, which torch never compresses: a small archive cannot unfold into a large one."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & ENCRYPTED:
        raise refused(f"a compressed or encrypted entry {shown(name)} in a storage's archive")
    budget.spend_bytes(info.file_size)
    return archive.read(info)


def _fill(storage: PickledStorage, data: bytes, offset: int, num_bytes: int) -> None:
    """Gives a storage its numbers.

    Raises:
        CheckpointError: they are not as many as it says, or not there.
    """
    wanted = storage.numel * storage.dtype.itemsize
    if storage.numel < 0 or num_bytes != wanted or offset + wanted > len(data):
        found = f"{shown(num_bytes)} bytes of the {len(data) - offset} left"
        raise refused(f"a storage of {shown(storage.numel)} numbers, for which its file has {found}")
    storage.values = np.frombuffer(data, storage.dtype, storage.numel, offset)
