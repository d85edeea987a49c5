"""Worker processes of training: errors of images and of the system reach the user, and no process is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.forked_commands import Command, run_command, start_command
from tests.support.training import write_dataset

if sys.platform == "win32":
    pytest.skip("needs POSIX process groups", allow_module_level=True)

NUM_IMAGES = 100

SMALL_RUN = ["--cbase", "64", "--cmax", "8", "--map-depth", "1", "--batch", "20", "--kimg", "0.1"]
"""One pass over the images."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

TIMEOUT_S = 240

EXIT_TIMEOUT_S = 10
"""Time in which all processes of a command must have ended after it."""


@pytest.fixture(scope="module")
def valid_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "crowds", NUM_IMAGES)


@pytest.fixture
def dataset(valid_dataset: Path, tmp_path: Path) -> Path:
    """A folder dataset that a test may damage."""
    return Path(shutil.copytree(valid_dataset, tmp_path / "crowds"))


def run_crowdgan(*arguments: object, shared_memory: str | None = None) -> tuple[int, list[str]]:
    """Runs a command, checks that none of its processes is left, and returns its exit code and lines on stderr.

    Args:
        arguments: arguments of `crowdgan`.
        shared_memory: size of the shared memory of the process, for example `8k`; None for that of the system.
    """
    process: Command | subprocess.Popen[str]
    if shared_memory is None:
        process = start_command(*arguments, start_new_session=True)
    else:
        mount = f'mount -t tmpfs -o size={shared_memory} tmpfs /dev/shm && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-m", "crowdgan_core"]
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    try:
        _, stderr = process.communicate(timeout=TIMEOUT_S)
        deadline = time.monotonic() + EXIT_TIMEOUT_S
        while _has_members(process.pid):
            assert time.monotonic() < deadline, "a process of the command is left"
            time.sleep(0.05)
    finally:
        if _has_members(process.pid):
            os.killpg(process.pid, 9)
    assert process.returncode is not None
    return process.returncode, stderr.splitlines()


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def image_path(dataset: Path, index: int) -> Path:
    return dataset / "00000" / f"img{index:08d}.png"


@pytest.mark.parametrize("index", [0, NUM_IMAGES // 2, NUM_IMAGES - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_damaged_image_ends_training_with_an_error_that_names_it(dataset: Path, workers: int, index: int) -> None:
    path = image_path(dataset, index)
    path.write_bytes(path.read_bytes()[:300])
    outdir = dataset.parent / "runs"
    code, lines = run_crowdgan(
        "train", "stylegan3", "--outdir", outdir, "--data", dataset, *SMALL_RUN, "--workers", workers
    )
    assert code == 1
    assert lines[-1].startswith(f"crowdgan: error: {path}: damaged or unreadable image")
    assert not any("Traceback" in line for line in lines)


def test_an_image_of_another_size_is_named_before_training_starts(dataset: Path) -> None:
    larger = write_dataset(dataset.parent / "larger", 1, size=(32, 32))
    shutil.copy(image_path(larger, 0), image_path(dataset, 7))
    outdir = dataset.parent / "runs"
    code, lines = run_crowdgan("train", "stylegan3", "--outdir", outdir, "--data", dataset, *SMALL_RUN, "--workers", 2)
    assert (code, len(lines)) == (1, 1)
    assert "00000/img00000007.png is 32x32 px and 00000/img00000000.png is 16x16 px" in lines[0]
    assert not outdir.exists()
    output = run_command("inspect", dataset, timeout=TIMEOUT_S).stdout
    assert "100 images, 16x16 px" in output
    assert "00000/img00000007.png is 32x32 px; training requires images of one size" in output


def has_mount_namespaces() -> bool:
    """Whether this process may mount a file system of its own at /dev/shm."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S).returncode == 0


needs_mount_namespaces = pytest.mark.skipif(
    not has_mount_namespaces(), reason="a smaller /dev/shm needs the right to mount file systems"
)

SHARED_MEMORY_REMEDY = (
    "worker processes cannot start (No space left on device): too little shared memory; in a container, enlarge it "
    "(docker run --shm-size 1g), or use fewer --workers"
)


@needs_mount_namespaces
def test_training_needs_no_shared_memory_for_images(dataset: Path) -> None:
    code, lines = run_crowdgan(
        *("train", "stylegan3", "--outdir", dataset.parent / "runs", "--data", dataset, *SMALL_RUN, "--workers", 2),
        shared_memory="200k",
    )
    assert code == 0, lines
    assert "done, 0.1 kimg" in lines[-1]


@needs_mount_namespaces
def test_too_little_shared_memory_for_workers_is_reported_with_the_remedy(dataset: Path) -> None:
    training = ["train", "stylegan3", "--outdir", dataset.parent / "runs", "--data", dataset, *SMALL_RUN]
    conversion = ["convert", "--source", dataset, "--dest", dataset.parent / "out.zip"]
    for command in (training, conversion):
        code, lines = run_crowdgan(*command, "--workers", 2, shared_memory="4k,nr_inodes=1")
        assert code == 1
        assert lines[-1] == f"crowdgan: error: --workers 2: {SHARED_MEMORY_REMEDY}"
        assert not any("Traceback" in line for line in lines)
    assert not (dataset.parent / "out.zip").exists()
