"""`crowdgan plot loss` as a user runs it."""

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

PROGRAM = [sys.executable, "-c", "from crowdgan_core.cli import main; main()", "plot", "loss"]

NO_DISPLAY = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}

WAIT_S = 60.0


def plot_loss(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command without a display, and checks its exit code."""
    run = subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=NO_DISPLAY, timeout=WAIT_S
    )
    assert run.returncode == code, run.stderr
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A run of 100 lines, one that continues it and was cut off, and one that has not begun."""
    return [
        write_stats(tmp_path / "00000-first", stats_lines(100)),
        write_stats(tmp_path / "00001-second", stats_lines(50, seed=1), more='{"Loss/G'),
        write_stats(tmp_path / "00002-third", []),
    ]


def wait_for(condition: object) -> None:
    """Returns once `condition()` holds."""
    end = time.monotonic() + WAIT_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


@pytest.mark.parametrize(("name", "start"), [("loss.png", b"\x89PNG"), ("loss.svg", b"<?xml"), ("loss.pdf", b"%PDF")])
def test_runs_are_joined_in_a_file_and_what_was_left_out_is_said(
    tmp_path: Path, runs: list[Path], name: str, start: bytes
) -> None:
    out = tmp_path / name
    shown = plot_loss(*runs, "--out", out, "--smooth", "20", "--log", "--title", "G & D")
    assert out.read_bytes().startswith(start)
    assert shown.stdout == ""
    assert shown.stderr.splitlines() == [
        f"{runs[1] / 'stats.jsonl'}: line 51 is cut off, as while it is being written: left out",
        "00002-third: it has no lines yet: left out",
        "00001-second: 5 lines after the join left out (--skip)",
        f"written: {out}",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*(run.name for run in runs), name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FIRST", "--out", "x.jpg"], "error: --out x.jpg: its name must end in one of .png, .svg, .pdf"),
        (["nowhere"], "error: nowhere: there is no such file or folder"),
        (["THIRD"], "error: 00002-third: it has no lines yet: left out"),
        (
            ["FIRST", "--keys", "Loss/Q"],
            "error: 00000-first: it has no Loss/Q: left out; it has Collapse/spread/dense,",
        ),
        (["FIRST", "--smooth", "-3"], "error: --smooth -3.0: the window must be 0 kimg or wider"),
        (["FIRST", "--show"], "error: --show: no window can be opened here (no display, or no Qt, Tk, GTK or wx);"),
    ],
)
def test_mistakes_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[Path], arguments: list[str], message: str
) -> None:
    if "--show" in arguments and not sys.platform.startswith("linux"):
        pytest.skip("there is always a display here")
    monkeypatch.chdir(tmp_path)
    given = [str({"FIRST": runs[0], "THIRD": runs[2]}.get(item, item)) for item in arguments]
    shown = plot_loss(*given, code=1)
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(run.name for run in runs)


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path: Path, runs: list[Path]) -> None:
    out = tmp_path / "loss.png"
    out.write_bytes(b"mine")
    assert "it exists already" in plot_loss(runs[0], "--out", out, code=1).stderr
    assert out.read_bytes() == b"mine"
    plot_loss(runs[0], "--out", out, "--overwrite")
    with Image.open(out) as image:
        assert image.size == (1500, 840)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_a_run_that_is_followed_is_drawn_as_lines_arrive(tmp_path: Path) -> None:
    run, out = write_stats(tmp_path / "live", []), tmp_path / "live.png"
    with (tmp_path / "said").open("w+") as said:
        program = subprocess.Popen([*PROGRAM, str(run), "--out", str(out), "--follow"], stderr=said, env=NO_DISPLAY)
        try:
            wait_for(lambda: "waiting: live: it has no lines yet" in (tmp_path / "said").read_text())
            assert not out.exists()
            for count in (1, 2):
                with (run / "stats.jsonl").open("a") as file:
                    file.write(json.dumps(stats_line(4.0 * count, {"Loss/G/loss": 1.0, "Loss/D/loss": 2.0})) + "\n")
                wait_for(lambda count=count: f"written: {out}, {count} lines" in (tmp_path / "said").read_text())
                with Image.open(out) as image:
                    image.load()
            program.send_signal(signal.SIGINT)
            assert program.wait(WAIT_S) == 130
        finally:
            program.kill()
            program.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live", "live.png", "said"]


@pytest.fixture
def display() -> Iterator[str]:
    """The name of a display of its own without a screen."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not installed: there is no display to open a window on")
    pytest.importorskip("tkinter", reason="this Python has no Tk to open a window with")
    reading, writing = os.pipe()
    program = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", "1600x1000x24"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as file:
        number = file.readline().strip()
    yield f":{number}"
    program.terminate()
    program.wait()


def test_a_window_opens_where_there_is_a_display_and_no_file_is_written(
    tmp_path: Path, runs: list[Path], display: str
) -> None:
    watch = (
        "import matplotlib.pyplot as plt\n"
        "shown = []\n"
        "def close(block):\n"
        "    shown.append([axes.get_ylabel() for axes in plt.gcf().axes])\n"
        "    plt.gcf().canvas.draw()\n"
        "    plt.close('all')\n"
        "plt.show = close\n"
        "from crowdgan_core.cli import main\n"
        "main()\n"
        "print(plt.get_backend().lower(), shown)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", watch, "plot", "loss", str(runs[0]), "--show"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "DISPLAY": display},
        timeout=WAIT_S,
        check=True,
    )
    assert run.stdout.endswith("agg [['logistic loss (nats)']]\n")
    assert not (tmp_path / "loss.png").exists()
