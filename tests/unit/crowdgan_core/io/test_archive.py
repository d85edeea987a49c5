"""ZIP archives are read in place, and malicious archives are refused."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import entry_names, is_zip, open_entry, read_entry


def write_zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_entries_are_listed_and_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"Images/1,a.jpg": b"one", "__MACOSX/x": b"", "b/": b"", "c.odgt": b"two"})
    assert entry_names(path) == ["Images/1,a.jpg", "c.odgt"]
    assert read_entry(path, "Images/1,a.jpg") == b"one"
    assert is_zip(path)
    assert not is_zip(tmp_path)


def test_a_changed_archive_is_read_again(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": b"1"})
    assert entry_names(path) == ["a"]
    write_zip(path, {"b": b"22"})
    assert entry_names(path) == ["b"]


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg", "..\\evil.jpg"])
def test_entries_that_point_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"good.jpg": b"", name: b""})
    with pytest.raises(DatasetError, match="points outside the archive: refused"):
        entry_names(path)


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DatasetError, match=r"entry 'link.jpg' is a symbolic link: refused"):
        entry_names(tmp_path / "a.zip")


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"secret"})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, directory + 8, 1)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"entry 'a.jpg' is encrypted; unpack the archive and use the folder"):
        entry_names(path)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"bomb.png": bytes(64 * 2**20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DatasetError, match="refused as a decompression bomb"):
        read_entry(path, "bomb.png")
    with pytest.raises(DatasetError, match="unpacks to 67108864 bytes; the maximum is 1000 bytes"):
        read_entry(path, "bomb.png", max_bytes=1000)


def test_missing_and_damaged_entries_are_errors_with_their_names(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"0123456789" * 100})
    with pytest.raises(DatasetError, match=r"a.zip:b.jpg: no such entry"):
        read_entry(path, "b.jpg")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"012345678X", 1))
    with pytest.raises(DatasetError, match=r"a.zip:a.jpg: damaged archive entry"), open_entry(path, "a.jpg") as file:
        file.read()
    path.write_bytes(b"PK not a ZIP")
    with pytest.raises(DatasetError, match=r"a.zip: damaged ZIP archive"):
        entry_names(path)
