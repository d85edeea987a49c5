"""`crowdgan density evaluate`: how well estimators agree with true densities."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.output import print_skipped, print_table, printable
from crowdgan_core.cli.common.param_types import EXISTING, EstimatorName
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings, source_options
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.pipeline.reading import read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.evaluation.ground_truth import read_ground_truth
from crowdgan_density.evaluation.metrics import EvaluationResult, evaluate_all, is_per_m2
from crowdgan_density.level_of_service import LEVEL_OF_SERVICE_SCALES, LevelOfServiceScale, parse_scale

ALL = "all"
"""In place of the name of an estimator: every installed one."""


class EstimatorNameOrAll(EstimatorName):
    """The name of an installed density estimator, or `all`."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Short: `crowdgan density` lists the names."""
        return f"NAME|{ALL}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such an estimator."""
        return ALL if value == ALL else super().convert(value, param, ctx)


@click.command("evaluate")
@source_options()
@click.option("--truth", type=EXISTING, required=True, help="JSON file with the true densities in persons/m².")
@click.option(
    "--density",
    "names",
    type=EstimatorNameOrAll(),
    multiple=True,
    default=[ALL],
    help="Estimator to evaluate; repeatable.  [default: all]",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Option of the estimators that have it; repeatable."
)
@click.option(
    "--scale",
    "scale_name",
    default="fruin-walkway",
    show_default=True,
    help=f"Classes to compare in: {', '.join(LEVEL_OF_SERVICE_SCALES)}, or bounds in persons/m² such as 0.5,1,2.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    options: SourceOptions,
    truth: Path,
    names: Sequence[str],
    settings: Sequence[str],
    scale_name: str,
    as_json: bool,
) -> None:
    """Show how well estimators agree with true densities, measured on the whole photographs.

    \b
    Examples:
      crowdgan density evaluate --source crowds --truth crowds/truth.json
      crowdgan density evaluate --source crowds --truth crowds/truth.json --density ground --scale crowd-safety

    The truth is what `crowdgan synth` writes, or an object of image names and densities: {"photo1": 0.8, …}.
    Errors, classes and intervals are compared where the estimator's unit is persons/m².
    """
    plugins = installed_plugins()
    known, scale = read_ground_truth(truth), parse_scale(scale_name)
    chosen = list(plugins.density_estimators) if ALL in names else list(dict.fromkeys(names))
    estimators = configured([plugins.density_estimators[name] for name in chosen], parse_settings(settings))
    source, source_name = options.open_source(plugins)
    read_settings = options.read_settings()
    with progress_bar() as progress:
        reading = read_scenes(source, source_name, read_settings, progress)
        lonely = without_truth(reading.scenes, known, truth)
        found = evaluate_all(estimators, reading.scenes, known, scale, workers=read_settings.workers, progress=progress)
    if as_json:
        click.echo(json.dumps(_as_json(estimators, found, scale), indent=2))
    else:
        _print(estimators, found, scale)
    print_skipped({**reading.skipped, **lonely})


def configured(classes: Sequence[type[DensityEstimator]], settings: Mapping[str, str]) -> list[DensityEstimator]:
    """Each estimator with those of the options that it has.

    Raises:
        ConfigError: none has one of the options, or a value is of the wrong kind.
    """
    owned = [{item.name for item in estimator_options(each)} for each in classes]
    for name in settings:
        if not any(name in options for options in owned):
            allowed = ", ".join(sorted(set().union(*owned))) or "none"
            raise ConfigError(f"--set {name}: no estimator that is evaluated has such an option; there are {allowed}")
    return [
        configure_estimator(each, {name: text for name, text in settings.items() if name in options})
        for each, options in zip(classes, owned, strict=True)
    ]


def without_truth(scenes: Sequence[Scene], known: Mapping[str, float], truth: Path) -> dict[str, list[str]]:
    """Names of the images that the truth lacks, by the reason for leaving them out.

    Raises:
        DatasetError: it lacks all of them.
    """
    lonely = [scene.source_name for scene in scenes if scene.source_name not in known]
    if len(lonely) == len(scenes):
        raise DatasetError(f"{truth}: it names no image of the source: {next(iter(known))}, not {lonely[0]}")
    return {"images whose true density is not known": lonely} if lonely else {}


def _as_json(
    estimators: Sequence[DensityEstimator], found: Mapping[str, EvaluationResult], scale: LevelOfServiceScale
) -> dict[str, Any]:
    return {
        "scale": scale.name,
        "estimators": [{"name": each.name, "unit": each.unit, **asdict(found[each.name])} for each in estimators],
    }


HEADERS = ["estimator", "told"]
HEADERS += ["rank\ncorr.", "error\nmedian", "error\n90 %", "exact\nclass", "within\none", "interval\nholds"]
"""Of the table."""


def _print(
    estimators: Sequence[DensityEstimator], found: Mapping[str, EvaluationResult], scale: LevelOfServiceScale
) -> None:
    print_table(HEADERS, [(each.name, *_cells(found[each.name])) for each in estimators], left=("estimator",))
    click.echo(printable(f"classes: {scale.name} ({', '.join(scale.classes)}); errors are relative to the truth"))
    compared = [each for each in estimators if is_per_m2(each.unit)]
    for unit in dict.fromkeys(each.unit for each in compared):
        names = ", ".join(each.name for each in compared if each.unit == unit)
        click.echo(printable(f"in {unit}: {names}"))
    if len(compared) < len(estimators):
        click.echo("in other units, of which only ranks can be compared: the others")
    for name, evaluation in found.items():
        for reason, count in evaluation.reasons.items():
            click.echo(printable(f"{name} cannot tell {count} of {evaluation.images}: {reason}"))


def _cells(found: EvaluationResult) -> list[str]:
    correlation = "–" if found.rank_correlation is None else f"{found.rank_correlation:.3f}"
    shares = (
        found.median_error,
        found.high_error,
        found.exact_class,
        found.within_one_class,
        found.coverage,
    )
    percents = ["–" if share is None else f"{share:.1%}" for share in shares]
    return [f"{found.told}/{found.images}", correlation, *percents]
