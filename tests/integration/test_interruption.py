"""Kills, Ctrl-C and full disks: a destination is absent, unchanged or complete, without temporary files beside it."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.io.atomic import atomic_path, write_bytes
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.sources.crowdhuman import CrowdHumanSource

if sys.platform == "win32":
    pytest.skip("needs POSIX signals and process groups", allow_module_level=True)

import resource

FORMATS: dict[str, DatasetFormat] = {"out.zip": ZipFormat(), "out.h5": Hdf5Format(), "out": FolderFormat()}
"""Destinations and their formats."""

IMAGES = 60
SIZE = (900, 1200)
"""Number and (height, width) of the source's images: about two seconds of work."""

KILLS = 4
"""Runs that are killed per destination."""

MAX_DELAY_S = 1.3
"""Maximum delay before a run is stopped; an uninterrupted run takes about as long."""

EXIT_TIMEOUT_S = 10.0
"""Time in which the worker processes of a killed run must end."""


@dataclass(frozen=True)
class Run:
    """A running `crowdgan` in a new session, as started by a terminal."""

    process: subprocess.Popen[str]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits until a condition holds, or the process ends."""
        while self.process.poll() is None and not condition():
            time.sleep(0.002)

    def wait_until_writing(self, folder: Path) -> None:
        """Waits until it starts to write a temporary file in `folder`."""
        ending = f"-{self.process.pid}.partial"
        self.wait_for(lambda: any(path.name.endswith(ending) for path in folder.iterdir()))

    def finish(self) -> tuple[int, str]:
        """Exit code and stderr, without the lines of progress that a slow machine prints."""
        _, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, re.sub(r"^\w+ images: \d+.*\n", "", stderr, flags=re.MULTILINE)

    def members(self) -> list[str]:
        """Command lines of the running processes of the session, including worker processes."""
        command_lines = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state, _, _, session = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    command_lines.append((folder / "cmdline").read_text().replace("\0", " "))
        return command_lines

    def wait_for_exit(self) -> list[str]:
        """Processes that still run after `EXIT_TIMEOUT_S`."""
        end = time.monotonic() + EXIT_TIMEOUT_S
        while (running := self.members()) and time.monotonic() < end:
            time.sleep(0.02)
        return running


Start = Callable[..., Run]


@pytest.fixture
def start(crowdgan: list[str]) -> Iterator[Start]:
    """Starts `crowdgan` with arguments; at the end of a test all running processes are killed."""
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
    """The source: enough large images that a kill interrupts their processing."""
    return write_crowd(tmp_path_factory.mktemp("source") / "crowd", count=IMAGES, size=SIZE)


@pytest.fixture(scope="module")
def complete_datasets(tmp_path_factory: pytest.TempPathFactory, crowd: Path) -> dict[str, Path]:
    """The output of an uninterrupted `label_command`, per destination name."""
    folder = tmp_path_factory.mktemp("complete")
    for name in FORMATS:
        build_in_process(crowd, folder / name)
    return {name: folder / name for name in FORMATS}


@pytest.fixture(scope="module")
def old_datasets(tmp_path_factory: pytest.TempPathFactory, crowd: Path) -> dict[str, Path]:
    """Smaller datasets of the same formats, to overwrite."""
    folder = tmp_path_factory.mktemp("old")
    for name in FORMATS:
        build_in_process(crowd, folder / name, max_images=3)
    return {name: folder / name for name in FORMATS}


def build_in_process(crowd: Path, dest: Path, max_images: int | None = None) -> None:
    from crowdgan_core.plugins.discovery import installed_plugins
    from crowdgan_core.scenes.transform import ImageTransform

    config = BuildConfig(
        dest=dest,
        format=FORMATS[dest.name],
        estimator=installed_plugins().density_estimators["grid"](),
        transform=ImageTransform(name="center-crop", size=(128, 128)),
        workers=2,
        max_images=max_images,
    )
    build_dataset(CrowdHumanSource().open([crowd], None), f"crowdhuman: {crowd.name}", config)


def label_command(crowd: Path, dest: Path, *more: object) -> tuple[object, ...]:
    """Arguments of the run that builds the datasets of `complete_datasets`."""
    return ("label", "--source", crowd, "--dest", dest, "--density", "grid", "--resolution", "128x128", *more)


def content(path: Path) -> dict[str, bytes] | None:
    """All bytes of a file or folder by name; None if it does not exist."""
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


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# kill -9


@pytest.mark.parametrize("with_old", [False, True], ids=["new", "overwriting"])
@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_a_killed_run_leaves_the_destination_unchanged_or_complete_and_the_next_run_cleans_up(
    dest_name: str,
    with_old: bool,
    tmp_path: Path,
    start: Start,
    crowd: Path,
    complete_datasets: dict[str, Path],
    old_datasets: dict[str, Path],
) -> None:
    generator = random.Random(f"{dest_name} {with_old}")
    dest, complete = tmp_path / dest_name, content(complete_datasets[dest_name])
    before = content(old_datasets[dest_name]) if with_old else None
    more = ("--workers", 2, *(["--overwrite"] if with_old else []))
    for kill in range(KILLS):
        remove(dest)
        if with_old:
            copy(old_datasets[dest_name], dest)
        run = start(*label_command(crowd, dest, *more))
        run.wait_until_writing(tmp_path)
        time.sleep(generator.uniform(0, MAX_DELAY_S))
        run.process.kill()
        run.process.wait()
        assert content(dest) in (before, complete), f"kill {kill}: the destination is neither unchanged nor complete"
        assert run.wait_for_exit() == []
    final_run = start(*label_command(crowd, dest, "--overwrite"))
    assert final_run.finish() == (0, "")
    assert file_names(tmp_path) == [dest_name]
    assert content(dest) == complete
    with FORMATS[dest_name].open(dest) as reader:
        assert [reader.image(index).shape for index in range(len(reader))] == [(128, 128, 3)] * IMAGES


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_builds_of_shards_continue(kills: int, tmp_path: Path, start: Start, crowd: Path) -> None:
    """Each build is killed up to three times, and then continues to the end."""
    generator = random.Random(kills)
    more = ("--shard-size", 4, "--workers", 2)
    assert start(*label_command(crowd, tmp_path / "straight.shards", *more)).finish() == (0, "")
    straight = content(tmp_path / "straight.shards")
    dest, partial = tmp_path / "out.shards", tmp_path / "out.shards.partial"
    num_kills = num_continued = 0
    while num_kills < kills:
        remove(dest)
        for _ in range(min(generator.randint(1, 3), kills - num_kills)):
            run = start(*label_command(crowd, dest, *more))
            finished = generator.randint(0, IMAGES // 4)
            run.wait_for(lambda finished=finished: len(list(partial.glob("finished/*.json"))) >= finished)
            time.sleep(generator.uniform(0, 0.1))
            run.process.kill()
            run.process.wait()
            num_kills += 1
            assert run.wait_for_exit() == []
            num_continued += len(list(partial.glob("finished/*.json")))
            if dest.exists():
                break  # killed after the end
        code, stderr = start(*label_command(crowd, dest, *more, "--overwrite")).finish()
        assert (code, stderr) == (0, "")
        assert content(dest) == straight
        assert file_names(tmp_path) == ["out.shards", "straight.shards"]
    assert num_continued > kills, "most kills leave finished shards"


def test_a_leftover_of_a_killed_run_with_the_same_process_id_is_removed(tmp_path: Path) -> None:
    """In a container every run may have the same process ID, so the leftover has the name of the new temporary file."""
    dest = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=False) as partial:
        partial_name = partial.name
        raise KeyboardInterrupt
    (tmp_path / partial_name).mkdir()
    (tmp_path / partial_name / "leftover.png").write_bytes(b"")
    with FolderFormat().create(dest, overwrite=False):
        pass
    assert content(dest) == {}
    assert file_names(tmp_path) == ["out"]


def test_a_renamed_old_folder_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    dest, ended = tmp_path / "out", subprocess.Popen(["true"])
    ended.wait()
    dest.mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=True) as partial:
        leftover = partial.with_name(partial.name.replace(f"-{os.getpid()}.", f"-{ended.pid}.old."))
        raise KeyboardInterrupt
    leftover.mkdir()
    write_bytes(tmp_path / "other", b"", overwrite=False)
    assert file_names(tmp_path) == [leftover.name, "other", "out"], "a leftover of another destination must stay"
    with FolderFormat().create(dest, overwrite=True):
        pass
    assert file_names(tmp_path) == ["other", "out"]


def test_the_old_folder_is_restored_if_the_new_one_cannot_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest = tmp_path / "out"
    dest.mkdir()
    (dest / "old.png").write_bytes(b"old")

    def interrupt(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt), atomic_path(dest, overwrite=True) as partial:
        partial.mkdir()
    assert content(dest) == {"old.png": b"old"}
    assert file_names(tmp_path) == ["out"]


# Ctrl-C


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_ctrl_c_stops_a_run_and_leaves_the_destination_unchanged(
    dest_name: str,
    workers: int,
    tmp_path: Path,
    start: Start,
    crowd: Path,
    old_datasets: dict[str, Path],
) -> None:
    generator = random.Random(f"{dest_name} {workers}")
    dest = tmp_path / dest_name
    copy(old_datasets[dest_name], dest)
    run = start(*label_command(crowd, dest, "--workers", workers, "--overwrite"))
    run.wait_until_writing(tmp_path)
    time.sleep(generator.uniform(0, 0.3 * MAX_DELAY_S))
    check_stop(run, signal.SIGINT)
    assert file_names(tmp_path) == [dest_name]
    assert content(dest) == content(old_datasets[dest_name])


def check_stop(run: Run, number: int) -> None:
    """Sends a signal to all processes of a run, as a terminal does, and checks exit code and message."""
    os.killpg(run.process.pid, number)
    message = "\ncrowdgan: interrupted; no partial output was left\n"  # click ends the line of ^C
    assert run.finish() == (130, message)
    assert run.wait_for_exit() == []


def test_ctrl_c_stops_worker_processes_during_their_start(tmp_path: Path, start: Start, crowd: Path) -> None:
    run = start(*label_command(crowd, tmp_path / "out.zip", "--workers", 3))
    run.wait_for(lambda: len(run.members()) > 3)
    check_stop(run, signal.SIGINT)
    assert file_names(tmp_path) == []


def test_a_termination_signal_stops_a_run_like_ctrl_c(tmp_path: Path, start: Start, crowd: Path) -> None:
    run = start("convert", "--source", crowd, "--dest", tmp_path / "out.h5", "--workers", 2)
    run.wait_until_writing(tmp_path)
    check_stop(run, signal.SIGTERM)
    assert file_names(tmp_path) == []


def test_ctrl_c_stops_synth_and_leaves_no_files(tmp_path: Path, start: Start, crowdgan: list[str]) -> None:
    run = start("synth", tmp_path / "crowds", "--images", 6400, "--resolution", "1280x960", "--workers", 2)
    run.wait_for((tmp_path / "crowds.partial" / "finished").exists)
    time.sleep(0.5)
    check_stop(run, signal.SIGINT)
    assert file_names(tmp_path) == []


# Full disks


def limit_files_to(size_bytes: int) -> Callable[[], None]:
    """A function that limits the file size of a process; writing more fails with EFBIG."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("dest_name", "limit_bytes"), [("out.zip", 300_000), ("out.h5", 300_000), ("out", 20_000)])
def test_a_file_size_limit_is_one_line_of_error_and_leaves_no_files(
    dest_name: str, limit_bytes: int, workers: int, tmp_path: Path, start: Start, crowd: Path
) -> None:
    dest = tmp_path / dest_name
    command = label_command(crowd, dest, "--workers", workers)
    run = start(*command, preexec_fn=limit_files_to(limit_bytes))
    assert run.finish() == (
        1,
        f"crowdgan: error: {dest}: cannot be written (File too large); no partial output was left\n",
    )
    assert file_names(tmp_path) == []
    assert run.wait_for_exit() == []


def test_a_file_size_limit_in_synth_is_one_line_of_error_and_leaves_no_files(tmp_path: Path, start: Start) -> None:
    dest, part = tmp_path / "crowds", tmp_path / "crowds.partial" / "finished" / "00000000.zip"
    command = ("synth", dest, "--images", 8, "--resolution", "320x240", "--workers", 1)
    run = start(*command, preexec_fn=limit_files_to(20_000))
    message = "cannot be written (File too large); no partial output was left"
    assert run.finish() == (1, f"crowdgan: error: {part}: {message}\n")
    assert file_names(tmp_path) == []


@pytest.mark.parametrize("fraction", [0.3, 0.98])
@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_a_full_disk_is_one_line_of_error_and_leaves_the_old_destination(
    dest_name: str,
    fraction: float,
    small_disk: Callable[[int], Path],
    start: Start,
    crowd: Path,
    old_datasets: dict[str, Path],
    complete_datasets: dict[str, Path],
) -> None:
    old, complete = content(old_datasets[dest_name]), content(complete_datasets[dest_name])
    assert old is not None
    assert complete is not None
    old_bytes, complete_bytes = (sum(map(len, files.values())) for files in (old, complete))
    folder = small_disk(old_bytes + round(fraction * complete_bytes))
    dest = folder / dest_name
    copy(old_datasets[dest_name], dest)
    run = start(*label_command(crowd, dest, "--overwrite"))
    reason = "No space left on device"
    assert run.finish() == (1, f"crowdgan: error: {dest}: cannot be written ({reason}); no partial output was left\n")
    assert file_names(folder) == [dest_name]
    assert content(dest) == old


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts an empty file system of a given size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size_bytes: int) -> Path:
        if shutil.which("mount") is None or os.geteuid() != 0:
            pytest.skip("mounting a small file system needs root")
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a file system is not permitted")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


# Existing destinations, equal bytes


@pytest.mark.parametrize("dest_name", list(FORMATS))
def test_an_existing_destination_is_an_error_and_unchanged(
    dest_name: str, tmp_path: Path, start: Start, crowd: Path, old_datasets: dict[str, Path]
) -> None:
    dest = tmp_path / dest_name
    copy(old_datasets[dest_name], dest)
    message = f"crowdgan: error: {dest}: already exists; choose another destination or add --overwrite\n"
    assert start(*label_command(crowd, dest)).finish() == (1, message)
    assert file_names(tmp_path) == [dest_name]
    assert content(dest) == content(old_datasets[dest_name])


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("dest_name", ["out.zip", "out.h5"])
def test_the_bytes_of_a_dataset_do_not_depend_on_the_number_of_workers(
    dest_name: str, workers: int, tmp_path: Path, crowd: Path, start: Start, complete_datasets: dict[str, Path]
) -> None:
    dest = tmp_path / dest_name
    assert start(*label_command(crowd, dest, "--workers", workers)).finish() == (0, "")
    assert dest.read_bytes() == complete_datasets[dest_name].read_bytes()


INTERRUPTED_FINALISER = """
import os, signal, time

import click

from crowdgan_core import cli


class Interrupted:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0)  # runs the signal handler, whose exception Python ignores here


@click.command()
def command():
    Interrupted()
    time.sleep(60)


cli.build_tree = lambda plugins: command
cli.main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_in_a_finaliser_is_not_lost(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_FINALISER.format(name=name)], capture_output=True, text=True, timeout=50
    )
    assert (run.returncode, run.stderr.strip()) == (130, "crowdgan: interrupted; no partial output was left")
