"""Writes `docs/reference/cli.md`: the help texts of all commands, as a terminal of 80 columns shows them.

Usage: python tools/cli_reference.py [PAGE]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common.lazy_command import load_command
from crowdgan_core.plugins.discovery import installed_plugins

COLUMNS = 80
INTRODUCTION = """\
# Command-line reference

Help texts of all commands, generated from the commands by `nox -s cli-reference`. Each command prints its own with
`--help`.
"""


def command_contexts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Contexts of a command and its subcommands, depth first."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=COLUMNS, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for subcommand_name, subcommand in command.commands.items():
            yield from command_contexts(load_command(subcommand), subcommand_name, context)


def cli_reference() -> str:
    """The page in Markdown."""
    sections = [INTRODUCTION]
    for context in command_contexts(build_tree(installed_plugins()), "crowdgan"):
        # The list of installed plugins depends on the environment.
        help_text = context.get_help().partition("\n  Installed plugins")[0].rstrip()
        sections.append(f"## {context.command_path}\n\n```text\n{help_text}\n```\n")
    return "\n".join(sections)


if __name__ == "__main__":
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
    page.write_text(cli_reference(), encoding="utf-8")
