"""Help texts list the installed dataset formats."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common import format_help
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.plugins.discovery import installed_plugins


class NumpyFormat(Hdf5Format):
    name, suffixes = "npy", "NAME.npy"


class ReadOnlyFormat:
    name, suffixes = "old", "NAME.old"


def help_of(*arguments: str) -> str:
    result = CliRunner().invoke(build_tree(installed_plugins()), [*arguments, "--help"], terminal_width=10_000)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more installed formats, one of which is only read."""
    formats: dict[str, Any] = {**installed_plugins().dataset_formats, "npy": NumpyFormat(), "old": ReadOnlyFormat()}
    monkeypatch.setattr(format_help, "installed_plugins", lambda: SimpleNamespace(dataset_formats=formats))


OWN = "NAME.zip, a folder NAME, NAME.h5 or NAME.hdf5, NAME.shards"


@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("label", f"Output dataset: {OWN}, NAME.npy. "),
        ("convert", f"Output dataset: {OWN}, NAME.npy. "),
        ("inspect", f"Formats of datasets: {OWN}, NAME.npy, NAME.old. "),
        ("metrics", f"Real images: a dataset ({OWN}, NAME.npy, NAME.old), or images in a folder or ZIP file."),
    ],
)
def test_help_texts_list_the_formats_that_can_be_written_or_read(command: str, text: str) -> None:
    assert text in help_of(command)


def test_texts_without_placeholders_need_no_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format_help, "installed_plugins", lambda: pytest.fail("no formats are needed"))
    assert "Estimate densities" in help_of()
    assert format_help.fill_in_formats("text") == "text"
    assert CliRunner().invoke(format_help.FormatsCommand("x", help="Text."), ["--help"]).exit_code == 0
