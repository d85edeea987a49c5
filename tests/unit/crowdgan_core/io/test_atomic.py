"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import atomic_path, atomic_writer, write_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ended_process() -> int:
    """Number of a process that has ended."""
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(ended.stdout)


def test_a_file_appears_when_the_context_ends(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "a.bin"
    with atomic_path(dest, overwrite=False) as partial:
        partial.write_bytes(b"abc")
        assert not dest.exists()
    assert dest.read_bytes() == b"abc"
    assert names(dest.parent) == ["a.bin"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.bin", overwrite=False) as partial:
        partial.write_bytes(b"abc")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_an_existing_destination_is_refused(tmp_path: Path) -> None:
    dest = tmp_path / "a.bin"
    dest.write_bytes(b"old")
    with pytest.raises(DatasetError) as caught:
        write_file(dest, b"new", overwrite=False)
    assert str(caught.value) == f"{dest}: it exists already; choose another destination or add --overwrite"
    assert dest.read_bytes() == b"old"


def test_a_destination_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    dest = tmp_path / "a.bin"
    with pytest.raises(DatasetError, match="it exists already"), atomic_path(dest, overwrite=False) as partial:
        partial.write_bytes(b"mine")
        dest.write_bytes(b"theirs")
    assert dest.read_bytes() == b"theirs"


def test_overwriting_replaces_files_and_folders(tmp_path: Path) -> None:
    dest = tmp_path / "out"
    dest.mkdir()
    (dest / "old.txt").write_text("old")
    with atomic_path(dest, overwrite=True) as partial:
        partial.mkdir()
        (partial / "new.txt").write_text("new")
    assert names(dest) == ["new.txt"]
    write_file(tmp_path / "a", b"1", overwrite=True)
    write_file(tmp_path / "a", b"2", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"2"
    assert names(tmp_path) == ["a", "out"]


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = ended_process()
    leftover = tmp_path / f".a.bin.{socket.gethostname()}-{ended}.partial"
    leftover.write_bytes(b"half")
    other = tmp_path / f".b.bin.{socket.gethostname()}-{ended}.partial"
    other.write_bytes(b"another destination's")
    write_file(tmp_path / "a.bin", b"whole", overwrite=False)
    assert names(tmp_path) == sorted([other.name, "a.bin"])


def test_a_name_as_long_as_file_systems_take_is_written_over_and_cleaned_up(tmp_path: Path) -> None:
    dest = tmp_path / ("ä" * 123 + ".zip")
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=False) as partial:
        leftover = partial.with_name(partial.name.replace(f"-{os.getpid()}.", f"-{ended_process()}."))
        raise KeyboardInterrupt
    leftover.write_bytes(b"half")
    assert len(os.fsencode(dest.name)) == 250
    write_file(dest, b"1", overwrite=False)
    write_file(dest, b"2", overwrite=True)
    assert (names(tmp_path), dest.read_bytes()) == ([dest.name], b"2")


def test_a_name_that_is_too_long_is_an_error_before_the_work_begins(tmp_path: Path) -> None:
    dest = tmp_path / "new" / ("a" * 256)
    with pytest.raises(DatasetError, match=r"cannot be written \(.+\)"), atomic_path(dest, overwrite=False):
        pytest.fail("the work began")
    assert names(tmp_path) == []


def test_a_failure_removes_the_parents_that_it_made_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "old" / "a" / "b" / "c.bin", overwrite=False):
        raise KeyboardInterrupt
    assert names(tmp_path / "old") == []


def test_a_parent_into_which_somebody_else_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a" / "b" / "c.bin", overwrite=False):
        (tmp_path / "a" / "theirs").write_text("")
        raise KeyboardInterrupt
    assert names(tmp_path / "a") == ["theirs"]


def test_a_file_is_open_for_writing_when_it_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows demands: a write of nothing succeeds only then."""
    monkeypatch.setattr(os, "fsync", lambda number: os.write(number, b""))
    write_file(tmp_path / "a.bin", b"abc", overwrite=False)
    assert (tmp_path / "a.bin").read_bytes() == b"abc"


def test_a_parent_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"a.bin: cannot be written \(.+\); nothing of it was left"):
        write_file(tmp_path / "file" / "a.bin", b"", overwrite=False)


def test_files_are_written_into_a_folder_each_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    with atomic_writer(folder) as write:
        write("a.bin", b"abc", overwrite=False)
        assert names(folder) == ["a.bin"]
        with pytest.raises(DatasetError, match=r"a\.bin: it exists already"):
            write("a.bin", b"other", overwrite=False)
        assert (folder / "a.bin").read_bytes() == b"abc"
        write("a.bin", b"other", overwrite=True)
    assert (folder / "a.bin").read_bytes() == b"other"
    assert names(folder) == ["a.bin"]


def test_files_that_were_written_stay_after_an_error_and_an_empty_folder_goes(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_writer(tmp_path / "new" / "out"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), atomic_writer(tmp_path / "out") as write:
        write("a.bin", b"abc", overwrite=False)
        raise KeyboardInterrupt
    assert names(tmp_path / "out") == ["a.bin"]


def test_a_folder_in_the_place_of_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.bin").mkdir()
    with atomic_writer(tmp_path) as write, pytest.raises(DatasetError, match=r"a\.bin: cannot be written \("):
        write("a.bin", b"abc", overwrite=True)
    assert names(tmp_path) == ["a.bin"]
    with pytest.raises(DatasetError, match="b: cannot be written"):
        (tmp_path / "b").write_bytes(b"")
        with atomic_writer(tmp_path / "b"):
            raise AssertionError("there is no such folder")


def test_what_killed_runs_left_in_a_folder_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".files.{socket.gethostname()}-{ended_process()}.partial"
    left.write_bytes(b"half")
    with atomic_writer(tmp_path) as write:
        assert names(tmp_path) == []
        write("a.bin", b"abc", overwrite=False)
    assert names(tmp_path) == ["a.bin"]
