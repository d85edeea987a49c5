"""`crowdgan plugins`: what is installed, what it offers, and what failed."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PLUGINS_ENV_VAR, PluginRegistry


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List what each installed plugin offers, and what failed to load and why.

    The environment variable CROWDGAN_PLUGINS picks plugins by name, for example CROWDGAN_PLUGINS=density; core is
    always loaded.
    """
    plugins = installed_plugins()
    if as_json:
        click.echo(json.dumps(_as_json(plugins), indent=2))
        return
    for plugin in plugins.loaded:
        click.echo(f"{plugin.name}  ({plugin.distribution} {plugin.version})")
        for kind, things in plugin.provides.items():
            if things:
                click.echo(f"  {kind + 's:':20} {', '.join(things)}")
    for failure in plugins.failures:
        click.echo(f"{failure.name}  ({failure.distribution})  LEFT OUT: {failure.reason}")
    for clash in plugins.clashes:
        click.echo(f"{clash.name}  ({clash.kind})  LEFT OUT: {clash}")
    click.echo(f"\nPick plugins by name with the environment variable {PLUGINS_ENV_VAR}.")


def _as_json(plugins: PluginRegistry) -> dict[str, object]:
    return {
        "loaded": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "offers": {kind: list(things) for kind, things in plugin.provides.items()},
            }
            for plugin in plugins.loaded
        ],
        "failed": [asdict(failure) for failure in plugins.failures],
        "clashes": [asdict(clash) for clash in plugins.clashes],
    }
