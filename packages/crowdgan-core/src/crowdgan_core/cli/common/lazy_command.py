"""Commands that are imported when they are used, so that lists of commands are fast."""

from __future__ import annotations

import pkgutil
from typing import Any

import click


class LazyCommand(click.Command):
    """A command whose module is imported when the command runs or its own help is shown.

    The help of its group needs only the name and the short help.

    Args:
        name: name of the command.
        short_help: its line in the help of the group.
        target: location of the click command, `module:attribute`.
    """

    def __init__(self, name: str, short_help: str, target: str) -> None:
        super().__init__(name, short_help=short_help)
        self._target = target

    def load(self) -> click.Command:
        """The imported command."""
        command: click.Command = pkgutil.resolve_name(self._target)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the imported command, which click then runs."""
        return self.load().make_context(info_name, args, parent, **extra)


def load_command(command: click.Command) -> click.Command:
    """The command itself, imported if it is lazy."""
    return command.load() if isinstance(command, LazyCommand) else command
