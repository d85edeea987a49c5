"""`crowdgan plugins`: installed plugins, what they provide, load failures and name conflicts."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PLUGINS_ENV_VAR, PluginRegistry


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List installed plugins, what they provide, and why any failed to load.

    The environment variable CROWDGAN_PLUGINS selects plugins by name, for example CROWDGAN_PLUGINS=density; core is
    always loaded.
    """
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
