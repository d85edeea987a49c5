"""Kills, Ctrl-C and full disks: a destination is absent, as it was, or whole, and nothing lies beside it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.io.atomic import atomic_path, write_file
from crowdgan_core.pipeline.build import BuildConfig, build_dataset
from crowdgan_core.sources.crowdhuman import CrowdHumanSource

if sys.platform == "win32":
    pytest.skip("signals and process groups as POSIX has them", allow_module_level=True)

import resource

FORMATS: dict[str, DatasetFormat] = {"out.zip": ZipFormat(), "out.h5": Hdf5Format(), "out": FolderFormat()}
"""Destinations and their formats."""

IMAGES = 60
SIZE = (900, 1200)
"""Number and (height, width) of the source's images: some two seconds of work."""

KILLS = 4
"""Runs that are killed per destination."""

LONGEST_S = 1.3
"""Bound of the time after which a run is stopped; an undisturbed one takes about as long."""

GONE_S = 10.0
"""Time in which the workers of a killed run must have ended."""


@dataclass(frozen=True)
class Run:
    """A running `crowdgan` in a session of its own, as a terminal starts one."""

    process: subprocess.Popen[str]

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Waits until something happened, or the process ended."""
        while self.process.poll() is None and not happened():
            time.sleep(0.002)

    def wait_until_writing(self, folder: Path) -> None:
        """Waits until it has begun to write beside a destination in `folder`."""
        ending = f"-{self.process.pid}.partial"
        self.wait_for(lambda: any(path.name.endswith(ending) for path in folder.iterdir()))

    def finish(self) -> tuple[int, str]:
        """Exit code and stderr."""
        _, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stderr

    def members(self) -> list[str]:
        """Command lines of the living processes of the session, workers and their helpers among them."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state, _, _, session = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
        return found

    def wait_until_gone(self) -> list[str]:
        """Members that are still there after `GONE_S`."""
        end = time.monotonic() + GONE_S
        while (left := self.members()) and time.monotonic() < end:
            time.sleep(0.02)
        return left


Start = Callable[..., Run]


@pytest.fixture
def start(crowdgan: list[str]) -> Iterator[Start]:
    """Starts `crowdgan` with arguments; what still runs at the end of a test is killed."""
    runs: list[Run] = []

    def launch(*arguments: object, preexec_fn: Callable[[], None] | None = None) -> Run:
        process = subprocess.Popen(
            [*crowdgan, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=preexec_fn,
        )
        runs.append(Run(process))
        return runs[-1]

    yield launch
    for run in runs:
        with suppress(ProcessLookupError):
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.communicate()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, write_crowd: Callable[..., Path]) -> Path:
    """The source: enough large images that a kill lands while they are worked on."""
    return write_crowd(tmp_path_factory.mktemp("source") / "crowd", count=IMAGES, size=SIZE)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory, crowd: Path) -> dict[str, Path]:
    """What `label_command` makes of the source when nothing stops it, per destination name."""
    folder = tmp_path_factory.mktemp("whole")
    for name in FORMATS:
        make_in_process(crowd, folder / name)
    return {name: folder / name for name in FORMATS}


@pytest.fixture(scope="module")
def olds(tmp_path_factory: pytest.TempPathFactory, crowd: Path) -> dict[str, Path]:
    """Smaller datasets of the same formats, to be overwritten."""
    folder = tmp_path_factory.mktemp("old")
    for name in FORMATS:
        make_in_process(crowd, folder / name, max_images=3)
    return {name: folder / name for name in FORMATS}


def make_in_process(crowd: Path, dest: Path, max_images: int | None = None) -> None:
    from crowdgan_core.plugins.discovery import installed_plugins
    from crowdgan_core.scenes.transform import ImageTransform

    label_settings = BuildConfig(
        dest=dest,
        format=FORMATS[dest.name],
        estimator=installed_plugins().density_estimators["grid"](),
        transform=ImageTransform(name="center-crop", size=(128, 128)),
        workers=2,
        max_images=max_images,
    )
    build_dataset(CrowdHumanSource().open([crowd], None), f"crowdhuman: {crowd.name}", label_settings)


def label_command(crowd: Path, dest: Path, *more: object) -> tuple[object, ...]:
    """Arguments of the run that makes the datasets of `wholes`."""
    return ("label", "--source", crowd, "--dest", dest, "--density", "grid", "--resolution", "128x128", *more)


def content(path: Path) -> dict[str, bytes] | None:
    """All bytes of a file or folder by name; None where there is nothing."""
    if path.is_dir():
        return {str(item.relative_to(path)): item.read_bytes() for item in sorted(path.rglob("*")) if item.is_file()}
    return {"": path.read_bytes()} if path.exists() else None


def copy(source: Path, dest: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, dest)
    else:
        shutil.copy(source, dest)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# kill -9


@pytest.mark.parametrize("with_old", [False, True], ids=["new", "overwriting"])
@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_a_killed_run_leaves_the_destination_absent_or_old_or_whole_and_the_next_run_cleans_up(
    dest_name: str,
    with_old: bool,
    tmp_path: Path,
    start: Start,
    crowd: Path,
    wholes: dict[str, Path],
    olds: dict[str, Path],
) -> None:
    dice = random.Random(f"{dest_name} {with_old}")
    dest, whole = tmp_path / dest_name, content(wholes[dest_name])
    before = content(olds[dest_name]) if with_old else None
    more = ("--workers", 2, *(["--overwrite"] if with_old else []))
    for kill in range(KILLS):
        remove(dest)
        if with_old:
            copy(olds[dest_name], dest)
        run = start(*label_command(crowd, dest, *more))
        run.wait_until_writing(tmp_path)
        time.sleep(dice.uniform(0, LONGEST_S))
        run.process.kill()
        run.process.wait()
        assert content(dest) in (before, whole), f"kill {kill}: the destination is neither as before nor whole"
        assert run.wait_until_gone() == []
    done = start(*label_command(crowd, dest, "--overwrite"))
    assert done.finish() == (0, "")
    assert names(tmp_path) == [dest_name]
    assert content(dest) == whole
    with closing(FORMATS[dest_name].open(dest)) as reader:
        assert [reader.image(index).shape for index in range(len(reader))] == [(128, 128, 3)] * IMAGES


def test_a_killed_run_whose_number_comes_again_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """In a container every run may have the same process number, so that the leftover has the name of the new one."""
    dest = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=False) as partial:
        partial_name = partial.name
        raise KeyboardInterrupt
    (tmp_path / partial_name).mkdir()
    (tmp_path / partial_name / "leftover.png").write_bytes(b"")
    with FolderFormat().create(dest, overwrite=False):
        pass
    assert content(dest) == {}
    assert names(tmp_path) == ["out"]


def test_a_folder_that_was_put_aside_by_a_killed_run_is_removed(tmp_path: Path) -> None:
    dest, ended = tmp_path / "out", subprocess.Popen(["true"])
    ended.wait()
    dest.mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=True) as partial:
        leftover = partial.with_name(partial.name.replace(f"-{os.getpid()}.", f"-{ended.pid}.old."))
        raise KeyboardInterrupt
    leftover.mkdir()
    write_file(tmp_path / "other", b"", overwrite=False)
    assert names(tmp_path) == [leftover.name, "other", "out"], "what belongs to another destination was removed"
    with FolderFormat().create(dest, overwrite=True):
        pass
    assert names(tmp_path) == ["other", "out"]


def test_a_folder_is_put_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest = tmp_path / "out"
    dest.mkdir()
    (dest / "old.png").write_bytes(b"old")

    def interrupted(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=True) as partial:
        partial.mkdir()
    assert content(dest) == {"old.png": b"old"}
    assert names(tmp_path) == ["out"]


# Ctrl-C


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_ctrl_c_stops_a_run_and_leaves_the_destination_as_it_was(
    dest_name: str,
    workers: int,
    tmp_path: Path,
    start: Start,
    crowd: Path,
    olds: dict[str, Path],
) -> None:
    dice = random.Random(f"{dest_name} {workers}")
    dest = tmp_path / dest_name
    copy(olds[dest_name], dest)
    run = start(*label_command(crowd, dest, "--workers", workers, "--overwrite"))
    run.wait_until_writing(tmp_path)
    time.sleep(dice.uniform(0, 0.3 * LONGEST_S))
    check_stop(run, signal.SIGINT)
    assert names(tmp_path) == [dest_name]
    assert content(dest) == content(olds[dest_name])


def check_stop(run: Run, number: int) -> None:
    """Stops a run as a terminal does, all its processes at once, and checks how it ends."""
    os.killpg(run.process.pid, number)
    ending = run.finish()
    assert ending == (130, "\ncrowdgan: interrupted; nothing was left half-written\n"), "the first line ends that of ^C"
    assert run.wait_until_gone() == []


def test_ctrl_c_stops_workers_that_are_just_starting(tmp_path: Path, start: Start, crowd: Path) -> None:
    run = start(*label_command(crowd, tmp_path / "out.zip", "--workers", 3))
    run.wait_for(lambda: len(run.members()) > 3)
    check_stop(run, signal.SIGINT)
    assert names(tmp_path) == []


def test_a_polite_kill_stops_a_run_as_ctrl_c_does(tmp_path: Path, start: Start, crowd: Path) -> None:
    run = start("convert", "--source", crowd, "--dest", tmp_path / "out.h5", "--workers", 2)
    run.wait_until_writing(tmp_path)
    check_stop(run, signal.SIGTERM)
    assert names(tmp_path) == []


def test_ctrl_c_stops_synth_and_leaves_nothing(tmp_path: Path, start: Start, crowdgan: list[str]) -> None:
    run = start("synth", tmp_path / "crowds", "--images", 2000, "--workers", 2)
    run.wait_until_writing(tmp_path)
    time.sleep(0.5)
    check_stop(run, signal.SIGINT)
    assert names(tmp_path) == []


# Full disks


def limit_files_to(size_bytes: int) -> Callable[[], None]:
    """What makes a process fail to write more than so many bytes to any file, with EFBIG."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("dest_name", "limit_bytes"), [("out.zip", 300_000), ("out.h5", 300_000), ("out", 20_000)])
def test_a_file_that_cannot_grow_is_one_line_of_error_and_leaves_nothing(
    dest_name: str, limit_bytes: int, workers: int, tmp_path: Path, start: Start, crowd: Path
) -> None:
    dest = tmp_path / dest_name
    command = label_command(crowd, dest, "--workers", workers)
    run = start(*command, preexec_fn=limit_files_to(limit_bytes))
    assert run.finish() == (1, f"crowdgan: error: {dest}: cannot be written (File too large); nothing of it was left\n")
    assert names(tmp_path) == []
    assert run.wait_until_gone() == []


def test_synth_that_cannot_write_ends_in_one_line_of_error_and_leaves_nothing(tmp_path: Path, start: Start) -> None:
    dest = tmp_path / "crowds"
    command = ("synth", dest, "--images", 8, "--resolution", "320x240", "--workers", 1)
    run = start(*command, preexec_fn=limit_files_to(20_000))
    assert run.finish() == (1, f"crowdgan: error: {dest}: cannot be written (File too large); nothing of it was left\n")
    assert names(tmp_path) == []


@pytest.mark.parametrize("share", [0.3, 0.98])
@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_a_full_disk_is_one_line_of_error_and_leaves_the_old_destination(
    dest_name: str,
    share: float,
    small_disk: Callable[[int], Path],
    start: Start,
    crowd: Path,
    olds: dict[str, Path],
    wholes: dict[str, Path],
) -> None:
    old, whole = content(olds[dest_name]), content(wholes[dest_name])
    assert old is not None
    assert whole is not None
    old_bytes, whole_bytes = (sum(map(len, files.values())) for files in (old, whole))
    folder = small_disk(old_bytes + round(share * whole_bytes))
    dest = folder / dest_name
    copy(olds[dest_name], dest)
    run = start(*label_command(crowd, dest, "--overwrite"))
    reason = "No space left on device"
    assert run.finish() == (1, f"crowdgan: error: {dest}: cannot be written ({reason}); nothing of it was left\n")
    assert names(folder) == [dest_name]
    assert content(dest) == old


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts an empty file system of so many bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size_bytes: int) -> Path:
        if shutil.which("mount") is None or os.geteuid() != 0:
            pytest.skip("mounting a small file system needs root")
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("no small file system can be mounted here")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


# Existing destinations, equal bytes


@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_an_existing_destination_is_refused_and_left_byte_by_byte(
    dest_name: str, tmp_path: Path, start: Start, crowd: Path, olds: dict[str, Path]
) -> None:
    dest = tmp_path / dest_name
    copy(olds[dest_name], dest)
    message = f"crowdgan: error: {dest}: it exists already; choose another destination or add --overwrite\n"
    assert start(*label_command(crowd, dest)).finish() == (1, message)
    assert names(tmp_path) == [dest_name]
    assert content(dest) == content(olds[dest_name])


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("dest_name", ["out.zip", "out.h5"])
def test_the_bytes_of_a_dataset_do_not_depend_on_the_number_of_workers(
    dest_name: str, workers: int, tmp_path: Path, crowd: Path, start: Start, wholes: dict[str, Path]
) -> None:
    dest = tmp_path / dest_name
    assert start(*label_command(crowd, dest, "--workers", workers)).finish() == (0, "")
    assert dest.read_bytes() == wholes[dest_name].read_bytes()
