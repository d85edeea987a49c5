"""The command tree: the commands of all plugins, each in its group."""

from __future__ import annotations

import copy

import click

from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.plugins.validation import TRAIN_GROUP

GROUP_HELP = {
    TRAIN_GROUP: (
        "Train a generative model",
        "Train a generative model; one subcommand per installed backend.",
    ),
    "plot": (
        "Plot runs, densities, labels and spectra",
        "Plot training runs, density estimates, dataset labels and power spectra.",
    ),
    "stylegan3": (
        "Manage StyleGAN3 models",
        "Create, import, export and render StyleGAN3 models.",
    ),
}
"""Short help and help text of command groups whose commands come from plugins."""

TRACEBACK_ENV_VAR = "CROWDGAN_TRACEBACK"
"""Environment variable: 1 prints the traceback of an error before its message."""

QUICK_START = """
\b
Quick start:
  crowdgan synth crowds --images 60
  crowdgan label --source crowds --dest crowds.zip --density threshold
  crowdgan inspect crowds.zip --contact-sheet crowds.png
"""
"""First commands, shown by `crowdgan --help`; they need only crowdgan-core and crowdgan-density."""


class OrderedGroup(click.Group):
    """A command group that lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Command names in order."""
        return list(self.commands)


def build_tree(plugins: PluginRegistry) -> click.Group:
    """The group `crowdgan` with the commands of all plugins."""
    top = _top_group(_epilog(plugins))
    for name, spec in plugins.commands.items():
        if not spec.group:
            top.add_command(_copy_group(spec.command), name)
    for words, spec in plugins.commands.items():
        if spec.group:
            _subgroup(top, spec.group).add_command(spec.command, words.removeprefix(spec.group).strip())
    return top


def _copy_group(command: click.Command) -> click.Command:
    """A copy of a group, so that adding commands does not modify a plugin's object; other commands unchanged."""
    if not isinstance(command, click.Group):
        return command
    group = copy.copy(command)
    group.commands = dict(command.commands)
    return group


def _top_group(epilog: str) -> click.Group:
    @click.group("crowdgan", cls=OrderedGroup, epilog=epilog, context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_name="crowdgan-core", prog_name="crowdgan")
    def crowdgan() -> None:
        pass

    description = "Build density-labelled crowd datasets and train image generators on them."
    crowdgan.help = (
        f"{description}\n{QUICK_START}\nWith {TRACEBACK_ENV_VAR}=1 in the environment, errors print their traceback."
    )
    return crowdgan


def _subgroup(top: click.Group, name: str) -> click.Group:
    """The subgroup of this name, created on first use."""
    existing = top.commands.get(name)
    if isinstance(existing, click.Group):
        return existing
    short_help, help_text = GROUP_HELP.get(name, (f"Commands of {name}", f"Commands of {name}."))
    group = OrderedGroup(name, short_help=short_help, help=help_text)
    top.add_command(group)
    return group


def _epilog(plugins: PluginRegistry) -> str:
    loaded = "\n".join(f"  {plugin.distribution} {plugin.version}" for plugin in plugins.loaded)
    return f"\b\nInstalled plugins (details: crowdgan plugins):\n{loaded}"
