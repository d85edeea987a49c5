"""`crowdgan density evaluate`: comparison of density estimates with ground truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import print_skipped, print_table, printable
from crowdgan_core.cli.common.param_types import EXISTING, EstimatorName
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.formatting import NO_VALUE
from crowdgan_density.evaluation.ground_truth import GroundTruthIndex, read_ground_truth
from crowdgan_density.evaluation.metrics import EvaluationResult, evaluate, is_per_m2
from crowdgan_density.level_of_service_scales import (
    DEFAULT_SCALE,
    LEVEL_OF_SERVICE_SCALES,
    LevelOfServiceScale,
    parse_scale,
)

ALL = "all"
"""Stands for all installed estimators."""

HEADERS = ["estimator", "esti-\nmated", "Spearman"]
HEADERS += ["error\nmedian", "error\n90 %", "class\naccuracy", "within\none", "coverage"]
"""Headers of the table."""


class EstimatorNameOrAll(EstimatorName):
    """The name of an installed density estimator, or `all`."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """A short form without the names, which `crowdgan density` lists."""
        return f"NAME|{ALL}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if such an estimator is installed."""
        return ALL if value == ALL else super().convert(value, param, ctx)


@click.command("evaluate")
@options_from(SourceOptions)
@options_from(ReadConfig)
@click.option("--truth", type=EXISTING, required=True, help="JSON or CSV file of densities in persons/m².")
@click.option(
    "--density",
    "names",
    type=EstimatorNameOrAll(),
    multiple=True,
    default=[ALL],
    help="Estimator to evaluate (repeatable).  [default: all]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option for every estimator that has it (repeatable).",
)
@click.option(
    "--scale",
    "scale_name",
    default=DEFAULT_SCALE,
    show_default=True,
    metavar=f"[{'|'.join(LEVEL_OF_SERVICE_SCALES)}|BOUNDS]",
    help="Classes to compare: a level-of-service scale, or bounds, e.g. 0.5,1,2.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    options: SourceOptions,
    read: ReadConfig,
    truth: Path,
    names: Sequence[str],
    settings: Sequence[str],
    scale_name: str,
    as_json: bool,
) -> None:
    """Compare density estimates with ground truth, on full images.

    \b
    Examples:
      crowdgan density evaluate --source crowds --truth crowds/truth.json
      crowdgan density evaluate --source crowds --truth crowds/truth.json --density ground --scale crowd-safety
      crowdgan density evaluate --source station --truth counts.csv --density ground

    The ground truth is the file of `crowdgan synth`, a JSON object of image names and densities, such as
    {"image1": 0.8, …}, or a CSV file with the columns image and density_per_m2. Errors, classes and intervals are
    compared for estimators in persons/m².
    """
    plugins = installed_plugins()
    ground_truth, scale = read_ground_truth(truth), parse_scale(scale_name)
    selected = list(plugins.density_estimators) if ALL in names else list(dict.fromkeys(names))
    estimators = configure_estimators([plugins.density_estimators[name] for name in selected], parse_settings(settings))
    source, source_name = options.open_source(plugins)
    with progress_bar() as progress:
        result = read_scenes(source, source_name, read, progress)
        skipped = scenes_without_ground_truth(result.scenes, ground_truth, truth)
        evaluations = evaluate(
            estimators, result.scenes, ground_truth, scale_name, workers=read.executor, progress=progress
        )
    if as_json:
        click.echo(json.dumps(_to_json(estimators, evaluations, scale), indent=2))
    else:
        _print(estimators, evaluations, scale)
    print_skipped({**result.skipped, **skipped})


def configure_estimators(
    classes: Sequence[type[DensityEstimator]], settings: Mapping[str, str]
) -> list[DensityEstimator]:
    """Estimators, each configured with the options that it has.

    Raises:
        ConfigError: no estimator has one of the options, or a value is of the wrong type.
    """
    option_names = [{item.name for item in estimator_options(each)} for each in classes]
    for name in settings:
        if not any(name in names for names in option_names):
            allowed = ", ".join(sorted(set().union(*option_names))) or "none: they have no options"
            raise ConfigError(f"--set {name}: no evaluated estimator has such an option; choose from {allowed}")
    return [
        configure_estimator(each, {name: text for name, text in settings.items() if name in names})
        for each, names in zip(classes, option_names, strict=True)
    ]


def scenes_without_ground_truth(
    scenes: Sequence[Scene], ground_truth: Mapping[str, float], path: Path
) -> dict[str, list[str]]:
    """Names of the images without ground truth, by the reason for skipping them.

    Raises:
        DatasetError: no image has ground truth.
    """
    index = GroundTruthIndex(ground_truth)
    missing = [scene.source_name for scene in scenes if index.density_per_m2(scene.source_name) is None]
    if len(missing) == len(scenes):
        raise DatasetError(
            f"{path}: it contains no image of the source; "
            f"its first name is {next(iter(ground_truth))}, that of the source {missing[0]}"
        )
    return {"images without ground truth": missing} if missing else {}


def _to_json(
    estimators: Sequence[DensityEstimator], evaluations: Mapping[str, EvaluationResult], scale: LevelOfServiceScale
) -> dict[str, Any]:
    return {
        "scale": scale.name,
        "estimators": [{"name": each.name, "unit": each.unit, **asdict(evaluations[each.name])} for each in estimators],
    }


def _print(
    estimators: Sequence[DensityEstimator], evaluations: Mapping[str, EvaluationResult], scale: LevelOfServiceScale
) -> None:
    print_table(HEADERS, [(each.name, *_cells(evaluations[each.name])) for each in estimators], left=("estimator",))
    click.echo(
        printable(f"classes: {scale.name} ({', '.join(scale.classes)}); errors are relative to the ground truth")
    )
    comparable = [each for each in estimators if is_per_m2(each.unit)]
    for unit in dict.fromkeys(each.unit for each in comparable):
        names = ", ".join(each.name for each in comparable if each.unit == unit)
        click.echo(printable(f"in {unit}: {names}"))
    if len(comparable) < len(estimators):
        names = ", ".join(each.name for each in estimators if not is_per_m2(each.unit))
        click.echo(printable(f"in other units (rank correlation only): {names}"))
    for name, result in evaluations.items():
        for reason, count in result.reasons.items():
            click.echo(printable(f"{name}: unknown for {count} of {result.images} images: {reason}"))


def _cells(result: EvaluationResult) -> list[str]:
    spearman = NO_VALUE if result.spearman is None else f"{result.spearman:.3f}"
    fractions = (
        result.median_error,
        result.high_error,
        result.class_accuracy,
        result.within_one_class,
        result.coverage,
    )
    percents = [NO_VALUE if fraction is None else f"{fraction:.1%}" for fraction in fractions]
    return [f"{result.num_estimated}/{result.images}", spearman, *percents]
