"""`crowdgan plugins`: installed plugins, what they provide, load failures and name conflicts; new plugins."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PLUGINS_ENV_VAR, PluginRegistry
from crowdgan_core.plugins.skeleton import KINDS, plugin_files, write_plugin


@click.group("plugins", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List installed plugins, what they provide, and why any failed to load.

    The environment variable CROWDGAN_PLUGINS selects plugins by name, for example CROWDGAN_PLUGINS=density; core is
    always loaded.
    """
    if ctx.invoked_subcommand is None:
        _list_plugins(as_json=as_json)


@command.command("new", short_help="Create the package of a plugin")
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(list(KINDS)), default="estimator", show_default=True, help="Kind of the plugin."
)
@click.option("--dest", type=click.Path(path_type=Path), help="New folder of the package.  [default: NAME]")
def new(name: str, kind: str, dest: Path | None) -> None:
    """Create the package of a plugin: a working example and a test of its contract.

    \b
    Examples:
      crowdgan plugins new my-estimator
      crowdgan plugins new crowdgan-webdataset --kind format
    """
    folder = dest or Path(name)
    contents = plugin_files(name, kind)
    write_plugin(folder, contents)
    click.echo(printable(str(folder)))
    for path in contents:
        click.echo(f"  {path}")
    click.echo(printable(f"Next step: pip install --editable {shlex.quote(str(folder))}"))


def _list_plugins(*, as_json: bool) -> None:
    plugins = installed_plugins()
    plugins.load_all()
    if as_json:
        click.echo(json.dumps(_to_json(plugins), indent=2))
        return
    for plugin in plugins.loaded:
        click.echo(f"{plugin.name}  ({plugin.distribution} {plugin.version})")
        for kind, objects in plugin.provides.items():
            if objects:
                click.echo(f"  {kind + 's:':20} {', '.join(objects)}")
        for model in plugin.provides["pretrained model"].values():
            click.echo(printable(f"  {'':20} {model.name}: {model.description}"))
    for failure in plugins.failures:
        click.echo(f"{failure.name}  ({failure.distribution})  FAILED TO LOAD: {failure.reason}")
    for conflict in plugins.conflicts:
        click.echo(f"{conflict.name}  ({conflict.kind})  NAME CONFLICT: {' and '.join(conflict.distributions)}")
    click.echo(f"\nSelect plugins by name with the environment variable {PLUGINS_ENV_VAR}.")


def _to_json(plugins: PluginRegistry) -> dict[str, object]:
    return {
        "loaded": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "provides": {kind: list(objects) for kind, objects in plugin.provides.items()},
            }
            for plugin in plugins.loaded
        ],
        "failures": [asdict(failure) for failure in plugins.failures],
        "conflicts": [asdict(conflict) for conflict in plugins.conflicts],
    }
