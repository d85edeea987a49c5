"""The tree of commands: core's and plugins', each under its group."""

from __future__ import annotations

import copy

import click

from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.plugins.validation import TRAIN

GROUP_HELP = {
    TRAIN: "Train a model on a dataset: one subcommand per installed backend.",
    "plot": "Draw graphs and images: one subcommand each.",
}
"""Help texts of groups that plugins fill."""

START_HERE = """
\b
Start here:
  crowdgan synth crowds --images 60
  crowdgan label --source crowds --dest crowds.zip --density threshold
  crowdgan inspect crowds.zip --contact-sheet crowds.png
"""
"""First commands, shown by `crowdgan --help`; needs only crowdgan-core and crowdgan-density."""


class OrderedGroup(click.Group):
    """Lists its commands in the order in which they were added: the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in order."""
        return list(self.commands)


def build_tree(plugins: PluginRegistry) -> click.Group:
    """The group `crowdgan` with everything that the plugins offer."""
    top = _top_group(_epilog(plugins))
    for name, offer in plugins.commands.items():
        if not offer.group:
            top.add_command(_own(offer.command), name)
    for words, offer in plugins.commands.items():
        if offer.group:
            _group(top, offer.group).add_command(offer.command, words.removeprefix(offer.group).strip())
    return top


def _own(command: click.Command) -> click.Command:
    """A copy of a group, to which commands of others may be added; any other command as it is."""
    if not isinstance(command, click.Group):
        return command
    own = copy.copy(command)
    own.commands = dict(command.commands)
    return own


def _top_group(epilog: str) -> click.Group:
    @click.group("crowdgan", cls=OrderedGroup, epilog=epilog, context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_name="crowdgan-core", prog_name="crowdgan")
    def crowdgan() -> None:
        pass

    crowdgan.help = "Density-labelled datasets of crowds, and generative models conditioned on density.\n" + START_HERE
    return crowdgan


def _group(top: click.Group, name: str) -> click.Group:
    """The subgroup of that name, made when its first command comes."""
    found = top.commands.get(name)
    if isinstance(found, click.Group):
        return found
    group = OrderedGroup(name, help=GROUP_HELP.get(name, f"Commands of {name}."))
    top.add_command(group)
    return group


def _epilog(plugins: PluginRegistry) -> str:
    loaded = "\n".join(f"  {plugin.distribution} {plugin.version}" for plugin in plugins.loaded)
    return f"\b\nInstalled (more by `crowdgan plugins`):\n{loaded}"
