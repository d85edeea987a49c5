"""`crowdgan density`: the estimators and their options."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence

import click

from crowdgan_core.cli.app import OrderedGroup
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import ConfigError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PluginRegistry

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class EstimatorGroup(OrderedGroup):
    """Its commands, and beside them the name of every installed estimator: that one tells all about it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of that name, or the one that describes the estimator of that name."""
        return super().get_command(ctx, cmd_name) or _describing(cmd_name)


@click.group("density", cls=EstimatorGroup, invoke_without_command=True, subcommand_metavar="[NAME | COMMAND]")
@AS_JSON
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the density estimators, or tell all about the one called NAME.

    \b
    Examples:
      crowdgan density
      crowdgan density --json
      crowdgan density threshold
    """
    if ctx.invoked_subcommand is None:
        _print(list(installed_plugins().density_estimators.values()), as_json=as_json, whole=False)
    elif as_json:
        ctx.default_map = {ctx.invoked_subcommand: {"as_json": True}}  # as if it stood after the name


def _describing(name: str) -> click.Command:
    """A command that tells all about one estimator."""
    estimators = installed_plugins().density_estimators
    if name not in estimators:
        raise ConfigError(f"{name} is no installed density estimator; there are {', '.join(estimators)}")

    @click.command(name)
    @AS_JSON
    def describe(as_json: bool) -> None:
        _print([estimators[name]], as_json=as_json, whole=True)

    describe.help = f"Tell all about the estimator {name}."
    return describe


def _print(estimators: Sequence[type[DensityEstimator]], *, as_json: bool, whole: bool) -> None:
    plugins = installed_plugins()
    if as_json:
        click.echo(json.dumps([_as_json(estimator, plugins) for estimator in estimators], indent=2))
        return
    for estimator in estimators:
        click.echo(_described(estimator, plugins, whole=whole))
    if not estimators:
        click.echo("No density estimator is installed: pip install crowdgan-density")


def _described(estimator: type[DensityEstimator], plugins: PluginRegistry, *, whole: bool) -> str:
    doc = inspect.getdoc(estimator) or ""
    provider = plugins.provider("density estimator", estimator.name)
    lines = [f"{estimator.name}  ({provider.distribution})", f"  {doc.splitlines()[0] if doc else ''}"]
    if whole:
        lines += [f"  {line}".rstrip() for line in doc.splitlines()[1:]]
    lines.append(f"  unit: {estimator.unit}; classes: {', '.join(_default_classes(estimator))}")
    lines += [
        f"  --set {item.name}={_shown(item.default)}  ({item.type_name}) {item.help}"
        for item in estimator_options(estimator)
    ]
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    return f"{default:.4g}" if isinstance(default, float) else str(default).lower()


def _as_json(estimator: type[DensityEstimator], plugins: PluginRegistry) -> dict[str, object]:
    return {
        "name": estimator.name,
        "distribution": plugins.provider("density estimator", estimator.name).distribution,
        "description": inspect.getdoc(estimator) or "",
        "unit": estimator.unit,
        "classes": list(_default_classes(estimator)),
        "options": [
            {"name": item.name, "type": item.type_name, "default": item.default, "help": item.help}
            for item in estimator_options(estimator)
        ],
    }


def _default_classes(estimator: type[DensityEstimator]) -> tuple[str, ...]:
    """Class names with default options, which may decide them; none where an option has no default."""
    try:
        return configure_estimator(estimator, {}).classes
    except ConfigError:
        return ()
