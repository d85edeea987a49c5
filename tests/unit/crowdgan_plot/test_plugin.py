"""What the distribution offers through the hooks."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from crowdgan_plot import plugin


def test_the_commands_are_complete() -> None:
    offers = plugin.crowdgan_register_commands()
    names = ("loss", "run", "density", "labels", "spectra")
    assert [(offer.group, offer.command.name) for offer in offers] == [("plot", name) for name in names]


def test_what_draws_for_label_is_offered() -> None:
    assert [plotter.name for plotter in plugin.crowdgan_register_scene_plotters()] == ["overlay"]


def test_the_module_is_an_entry_point() -> None:
    [found] = [item for item in entry_points(group="crowdgan") if item.value == "crowdgan_plot.plugin"]
    assert found.load() is plugin


def test_registering_loads_no_heavy_library() -> None:
    """The subprocess starts clean; this one has loaded matplotlib for other tests."""
    program = (
        "import sys; from crowdgan_plot import plugin; plugin.crowdgan_register_commands(); "
        "plugin.crowdgan_register_scene_plotters(); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'scipy', 'matplotlib', 'torch', 'rich'}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
