"""`crowdgan plot loss` from the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.run_folders import stats_line, stats_lines, write_stats

COMMAND = [sys.executable, "-c", "from crowdgan_core.cli import main; main()", "plot", "loss"]

HEADLESS_ENV = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}

TIMEOUT_S = 60.0


def plot_loss(*arguments: str | Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command without a display, and checks its exit code."""
    run = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**HEADLESS_ENV, **environment},
        timeout=TIMEOUT_S,
    )
    assert run.returncode == code, run.stderr
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A run of 100 lines, one that continues it with an incomplete last line, and one without lines."""
    return [
        write_stats(tmp_path / "00000-first", stats_lines(100)),
        write_stats(tmp_path / "00001-second", stats_lines(50, seed=1), appended='{"Loss/G'),
        write_stats(tmp_path / "00002-third", []),
    ]


def wait_for(condition: object) -> None:
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.05)


@pytest.mark.parametrize(("name", "start"), [("loss.png", b"\x89PNG"), ("loss.svg", b"<?xml"), ("loss.pdf", b"%PDF")])
def test_runs_are_joined_in_a_file_and_skipped_lines_are_reported(
    tmp_path: Path, runs: list[Path], name: str, start: bytes
) -> None:
    out = tmp_path / name
    run = plot_loss(*runs, "--out", out, "--smooth", "20", "--log", "--title", "G & D")
    assert out.read_bytes().startswith(start)
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        f"{runs[1] / 'stats.jsonl'}: skipped line 51: it is incomplete, perhaps still being written",
        "00002-third: skipped, no lines yet",
        "00001-second: dropped 5 lines after the join (--skip)",
        f"wrote {out}",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*(run.name for run in runs), name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FIRST", "--out", "x.jpg"], "error: x.jpg: the file name must end in .png, .svg or .pdf"),
        (["nowhere"], "error: nowhere: no such file or folder"),
        (["THIRD"], "error: no values to plot: 00002-third: skipped, no lines yet"),
        (
            ["FIRST", "--keys", "Loss/Q"],
            "error: no values to plot: 00000-first: skipped, no values of Loss/Q; available keys: Collapse/",
        ),
        (["FIRST", "--smooth", "-3"], "error: --smooth -3.0: the width of the moving average must be 0 kimg or more"),
        (["FIRST", "--show"], "error: --show: no window can be opened (no display, or none of Qt, Tk, GTK and wx);"),
    ],
)
def test_user_errors_are_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[Path], arguments: list[str], message: str
) -> None:
    if "--show" in arguments and not sys.platform.startswith("linux"):
        pytest.skip("this platform always has a display")
    monkeypatch.chdir(tmp_path)
    replaced = [str({"FIRST": runs[0], "THIRD": runs[2]}.get(item, item)) for item in arguments]
    run = plot_loss(*replaced, code=1)
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(run.name for run in runs)


def test_an_existing_file_is_kept_unless_overwrite_is_given(tmp_path: Path, runs: list[Path]) -> None:
    out = tmp_path / "loss.png"
    out.write_bytes(b"existing")
    assert "already exists" in plot_loss(runs[0], "--out", out, code=1).stderr
    assert out.read_bytes() == b"existing"
    plot_loss(runs[0], "--out", out, "--overwrite")
    with Image.open(out) as image:
        assert image.size == (1500, 840)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_a_followed_run_is_redrawn_as_lines_arrive(tmp_path: Path) -> None:
    run, out = write_stats(tmp_path / "live", []), tmp_path / "live.png"
    with (tmp_path / "messages").open("w+") as messages:
        process = subprocess.Popen(
            [*COMMAND, str(run), "--out", str(out), "--follow"], stderr=messages, env=HEADLESS_ENV
        )
        try:
            wait_for(
                lambda: "waiting: no values to plot: live: skipped, no lines yet" in (tmp_path / "messages").read_text()
            )
            assert not out.exists()
            for count in (1, 2):
                with (run / "stats.jsonl").open("a") as file:
                    file.write(json.dumps(stats_line(4.0 * count, {"Loss/G/loss": 1.0, "Loss/D/loss": 2.0})) + "\n")
                wait_for(lambda count=count: f"wrote {out}, {count} lines" in (tmp_path / "messages").read_text())
                with Image.open(out) as image:
                    image.load()
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) == 130
        finally:
            process.kill()
            process.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live", "live.png", "messages"]


@pytest.fixture
def display() -> Iterator[str]:
    """Name of a virtual display."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not installed; without a display no window can be opened")
    pytest.importorskip("tkinter", reason="this Python has no tkinter, so no window can be opened")
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(write_fd), "-screen", "0", "1600x1000x24"],
        pass_fds=[write_fd],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_fd)
    with os.fdopen(read_fd) as file:
        number = file.readline().strip()
    yield f":{number}"
    process.terminate()
    process.wait()


def test_a_window_opens_on_a_display_and_no_file_is_written(tmp_path: Path, runs: list[Path], display: str) -> None:
    program = (
        "import matplotlib.pyplot as plt\n"
        "windows = []\n"
        "def close(block):\n"
        "    size = plt.gcf().get_size_inches().round(1).tolist()\n"
        "    windows.append([size, *(axes.get_ylabel() for axes in plt.gcf().axes)])\n"
        "    plt.gcf().canvas.draw()\n"
        "    plt.close('all')\n"
        "plt.show = close\n"
        "from crowdgan_core.cli import main\n"
        "main()\n"
        "print(plt.get_backend().lower(), windows)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, "plot", "loss", str(runs[0]), "--show"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "DISPLAY": display},
        timeout=TIMEOUT_S,
        check=True,
    )
    assert run.stdout.endswith("agg [[[10.0, 5.6], 'logistic loss (nats)']]\n")
    assert not (tmp_path / "loss.png").exists()


@pytest.mark.parametrize("backend", ["module://not_installed.backend", "nonsense", "TkAgg"])
def test_the_backend_variable_of_a_notebook_does_not_matter(tmp_path: Path, runs: list[Path], backend: str) -> None:
    plot_loss(runs[0], "--out", tmp_path / "expected.png")
    plot_loss(runs[0], "--out", tmp_path / "actual.png", MPLBACKEND=backend)
    assert (tmp_path / "actual.png").read_bytes() == (tmp_path / "expected.png").read_bytes()
    if sys.platform.startswith("linux"):
        assert "--show: no window can be opened" in plot_loss(runs[0], "--show", code=1, MPLBACKEND=backend).stderr


def test_a_matplotlibrc_file_does_not_change_figures(tmp_path: Path, runs: list[Path]) -> None:
    rc_file = tmp_path / "matplotlibrc"
    rc_file.write_text("text.usetex: True\nsavefig.bbox: tight\naxes.facecolor: red\nfont.family: serif\n")
    plot_loss(runs[0], "--out", tmp_path / "expected.png")
    plot_loss(runs[0], "--out", tmp_path / "actual.png", MATPLOTLIBRC=str(rc_file))
    assert (tmp_path / "actual.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_characters_without_glyph_are_reported_in_one_line(tmp_path: Path) -> None:
    runs = [write_stats(tmp_path / name, stats_lines(10)) for name in ("_first", "\U00010380\U00010381")]
    run = plot_loss(*runs, "--separate", "--out", tmp_path / "loss.png", PYTHONUTF8="1")
    [note, written] = run.stderr.splitlines()
    assert note.startswith("characters such as ")
    assert written == f"wrote {tmp_path / 'loss.png'}"
