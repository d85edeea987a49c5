"""Help texts that list the suffixes of the installed dataset formats.

The formats of plugins are registered when the help of a command is shown, not when the command is imported.
"""

from __future__ import annotations

import copy

import click

from crowdgan_core.plugins.discovery import installed_plugins

DATASET_FORMATS, OUTPUT_FORMATS = "{dataset_formats}", "{output_formats}"
"""Placeholders in help texts: the formats that can be read, and those that can be written."""


def fill_in_formats(text: str) -> str:
    """A help text with the suffixes of the installed formats in place of the placeholders."""
    if DATASET_FORMATS not in text and OUTPUT_FORMATS not in text:
        return text
    from crowdgan_core.datasets.format_lookup import is_writable  # imports numpy, which lists of commands need not

    formats = installed_plugins().dataset_formats.values()
    readable, writable = [item.suffixes for item in formats], [item.suffixes for item in formats if is_writable(item)]
    return text.replace(DATASET_FORMATS, ", ".join(readable)).replace(OUTPUT_FORMATS, ", ".join(writable))


class FormatsCommand(click.Command):
    """A command whose description may have the placeholders."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the description with the suffixes of the installed formats."""
        command = copy.copy(self)
        command.help = fill_in_formats(self.help or "")
        click.Command.format_help_text(command, ctx, formatter)
