"""Hooks of the distribution, and the help texts of its commands."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from crowdgan_plot import plugin

COMMANDS = ("loss", "run", "density", "series", "labels", "spectra", "fidelity")

DOCS = Path(__file__).parents[3] / "docs"


def test_all_commands_are_registered_with_a_short_help() -> None:
    specs = plugin.crowdgan_register_commands()
    assert [(spec.group, spec.command.name) for spec in specs] == [
        *(("plot", name) for name in COMMANDS),
        ("", "view"),
    ]
    assert all(spec.command.short_help for spec in specs)


def test_the_overlay_plotter_is_registered() -> None:
    assert [plotter.name for plotter in plugin.crowdgan_register_scene_plotters()] == ["overlay"]


def test_the_module_is_an_entry_point() -> None:
    [entry_point] = [item for item in entry_points(group="crowdgan") if item.value == "crowdgan_plot.plugin"]
    assert entry_point.load() is plugin


def test_registering_loads_no_heavy_library() -> None:
    """Runs in a subprocess, because other tests import matplotlib in this process."""
    program = (
        "import sys; from crowdgan_plot import plugin; plugin.crowdgan_register_commands(); "
        "plugin.crowdgan_register_scene_plotters(); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'scipy', 'matplotlib', 'torch', 'rich'}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("words", [["plot"], *(["plot", name] for name in COMMANDS)], ids=" ".join)
def test_help_texts_have_examples_and_load_no_heavy_library(words: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['crowdgan', *{words!r}, '--help']\n"
        "from crowdgan_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'scipy', 'matplotlib', 'h5py', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"
    assert words == ["plot"] or f"  crowdgan {' '.join(words)} " in run.stdout


def test_the_page_on_figures_shows_a_small_image_of_every_command() -> None:
    text = (DOCS / "how-to" / "figures.md").read_text(encoding="utf-8")
    names = re.findall(r"!\[[^\]]+\]\(\.\./assets/figures/([\w-]+\.webp)\)", text)
    assert {Path(name).stem.partition("-")[0] for name in names} == set(COMMANDS)
    figures = sorted((DOCS / "assets" / "figures").iterdir())
    assert [path.name for path in figures] == sorted(names)
    assert all(path.stat().st_size < 150_000 for path in figures)
