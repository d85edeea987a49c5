"""`crowdgan density`: the estimators and their options."""

from __future__ import annotations

import inspect
import json

import click

from crowdgan_core.density import DensityEstimator, configure, options_of
from crowdgan_core.errors import ConfigError
from crowdgan_core.plugins import Plugins, installed_plugins


@click.command("density")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the density estimators, or all about the one called NAME.

    \b
    Examples:
      crowdgan density
      crowdgan density grid
    """
    plugins = installed_plugins()
    estimators = plugins.density_estimators
    if name is not None and name not in estimators:
        raise ConfigError(f"{name} is no installed density estimator; there are {', '.join(estimators)}")
    chosen = estimators if name is None else {name: estimators[name]}
    if as_json:
        click.echo(json.dumps([_as_json(estimator, plugins) for estimator in chosen.values()], indent=2))
        return
    for estimator in chosen.values():
        click.echo(_described(estimator, plugins, whole=name is not None))
    if not chosen:
        click.echo("No density estimator is installed: pip install crowdgan-density")


def _described(estimator: type[DensityEstimator], plugins: Plugins, *, whole: bool) -> str:
    doc = inspect.getdoc(estimator) or ""
    provider = plugins.provider("density estimator", estimator.name)
    lines = [f"{estimator.name}  ({provider.distribution})", f"  {doc.splitlines()[0] if doc else ''}"]
    if whole:
        lines += [f"  {line}".rstrip() for line in doc.splitlines()[1:]]
    lines.append(f"  unit: {estimator.unit}; classes: {', '.join(_default_classes(estimator))}")
    lines += [
        f"  --set {item.name}={_shown(item.default)}  ({item.type_name}) {item.help}" for item in options_of(estimator)
    ]
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    return f"{default:.4g}" if isinstance(default, float) else str(default).lower()


def _as_json(estimator: type[DensityEstimator], plugins: Plugins) -> dict[str, object]:
    return {
        "name": estimator.name,
        "distribution": plugins.provider("density estimator", estimator.name).distribution,
        "description": inspect.getdoc(estimator) or "",
        "unit": estimator.unit,
        "classes": list(_default_classes(estimator)),
        "options": [
            {"name": item.name, "type": item.type_name, "default": item.default, "help": item.help}
            for item in options_of(estimator)
        ],
    }


def _default_classes(estimator: type[DensityEstimator]) -> tuple[str, ...]:
    """Class names with default options, which may decide them; none where an option has no default."""
    try:
        return configure(estimator, {}).classes
    except ConfigError:
        return ()
