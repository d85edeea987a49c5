"""`crowdgan density`: the density estimators and their options."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from crowdgan_core.cli.app import OrderedGroup
from crowdgan_core.cli.common.output import describe_bounds
from crowdgan_core.density.checked_calls import exact_class_bounds
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import ConfigError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PluginRegistry

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class EstimatorGroup(OrderedGroup):
    """A group with a hidden command per installed estimator, which describes that estimator."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of this name, or the command that describes the estimator of this name."""
        return super().get_command(ctx, cmd_name) or _describe_command(cmd_name)


@click.group(
    "density",
    cls=EstimatorGroup,
    invoke_without_command=True,
    subcommand_metavar="[NAME | COMMAND]",
    short_help="List density estimators and their options",
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List density estimators, or describe the estimator NAME.

    \b
    Examples:
      crowdgan density
      crowdgan density --json
      crowdgan density threshold
    """
    if ctx.invoked_subcommand is None:
        _print(list(installed_plugins().density_estimators.values()), as_json=as_json, is_detailed=False)
    elif as_json:
        ctx.default_map = {ctx.invoked_subcommand: {"as_json": True}}  # `density --json NAME` is `density NAME --json`


def _describe_command(name: str) -> click.Command:
    """The command that describes one estimator."""
    estimators = installed_plugins().density_estimators
    if name not in estimators:
        raise ConfigError(f"no such density estimator {name}; choose from {', '.join(estimators)}")

    @click.command(name, short_help=f"Describe the estimator {name}")
    @json_option
    def describe(as_json: bool) -> None:
        _print([estimators[name]], as_json=as_json, is_detailed=True)

    describe.help = f"Describe the estimator {name} and its options."
    return describe


def _print(estimators: Sequence[type[DensityEstimator]], *, as_json: bool, is_detailed: bool) -> None:
    plugins = installed_plugins()
    if as_json:
        click.echo(json.dumps([_to_json(estimator, plugins) for estimator in estimators], indent=2))
        return
    for estimator in estimators:
        click.echo(_to_text(estimator, plugins, is_detailed=is_detailed))
    if not estimators:
        click.echo("No density estimator is installed: pip install crowdgan-density")


def _to_text(estimator: type[DensityEstimator], plugins: PluginRegistry, *, is_detailed: bool) -> str:
    doc = inspect.getdoc(estimator) or ""
    provider = plugins.provider("density estimator", estimator.name)
    lines = [f"{estimator.name}  ({provider.distribution})", f"  {doc.splitlines()[0] if doc else ''}"]
    if is_detailed:
        lines += [f"  {line}".rstrip() for line in doc.splitlines()[1:]]
    classes, bounds = _default_classes(estimator)
    lines.append(f"  unit: {estimator.unit}; classes: {', '.join(classes)}")
    if is_detailed and bounds is not None:
        lines.append(f"  {describe_bounds(bounds, classes)}")
    lines += [
        f"  --set {item.name}={_default_text(item.default)}  ({item.type_name}) {item.help}"
        for item in estimator_options(estimator)
    ]
    return "\n".join(lines) + "\n"


def _default_text(default: object) -> str:
    return f"{default:.4g}" if isinstance(default, float) else str(default).lower()


def _to_json(estimator: type[DensityEstimator], plugins: PluginRegistry) -> dict[str, object]:
    classes, bounds = _default_classes(estimator)
    return {
        "name": estimator.name,
        "distribution": plugins.provider("density estimator", estimator.name).distribution,
        "description": inspect.getdoc(estimator) or "",
        "unit": estimator.unit,
        "classes": list(classes),
        "class_bounds": None if bounds is None else asdict(bounds),
        "options": [
            {"name": item.name, "type": item.type_name, "default": item.default, "help": item.help}
            for item in estimator_options(estimator)
        ],
    }


def _default_classes(estimator: type[DensityEstimator]) -> tuple[tuple[str, ...], ClassBounds | None]:
    """Class names and exact boundaries with default options, on which they may depend.

    No names and None if an option has no default.
    """
    try:
        default = configure_estimator(estimator, {})
    except ConfigError:
        return (), None
    return tuple(default.classes), exact_class_bounds(default)
