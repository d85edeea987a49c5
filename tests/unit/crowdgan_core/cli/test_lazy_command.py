"""A lazy command is imported when it runs or its help is shown, not when it is listed."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crowdgan_core.cli.common.lazy_command import LazyCommand, load_command

MODULE = """
import click

@click.command("greet")
@click.option("--name", default="world")
def command(name):
    "Print a greeting."
    click.echo(f"hello {name}")
"""


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> click.Group:
    """A group with a lazy command of the module `greetings`, which is not imported."""
    (tmp_path / "greetings.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "greetings", raising=False)
    return click.Group("top", commands=[LazyCommand("greet", "Greet somebody", "greetings:command")])


def test_a_list_of_commands_does_not_import_them(group: click.Group) -> None:
    output = CliRunner().invoke(group, ["--help"]).output
    assert "greet  Greet somebody" in output
    assert "greetings" not in sys.modules


def test_a_lazy_command_runs_like_the_command_itself(group: click.Group) -> None:
    assert CliRunner().invoke(group, ["greet", "--name", "crowd"]).output == "hello crowd\n"
    help_text = CliRunner().invoke(group, ["greet", "--help"]).output
    assert "Usage: top greet [OPTIONS]" in help_text
    assert "Print a greeting." in help_text


def test_loading_returns_the_command_itself(group: click.Group) -> None:
    command = load_command(group.commands["greet"])
    assert command is sys.modules["greetings"].command
    assert load_command(command) is command


def test_shell_completion_lists_the_options_of_a_lazy_command(group: click.Group) -> None:
    environment = {"_TOP_COMPLETE": "bash_complete", "COMP_WORDS": "top greet --n", "COMP_CWORD": "2"}
    assert CliRunner().invoke(group, env=environment, prog_name="top").output == "plain,--name\n"
