"""`crowdgan metrics`: quality metrics of a model, or of one set of images relative to another."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.app import OrderedGroup
from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import print_table, printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import CrowdganError
from crowdgan_core.metrics.options import EvaluationOptions
from crowdgan_core.plugins.discovery import installed_plugins

if TYPE_CHECKING:
    from crowdgan_core.metrics.evaluation import EvaluationReport, MetricSelection
    from crowdgan_core.metrics.inputs import EvaluationInputs
    from crowdgan_core.metrics.metric import MetricValue

STDOUT = Path("-")
"""Path that stands for stdout."""


@click.group("metrics", cls=OrderedGroup, invoke_without_command=True, short_help="Compute quality metrics of a model")
@options_from(EvaluationOptions)
@click.option("--metrics", "names", metavar="A,B,…", help="Metrics to compute; --list shows them.")
@click.option(
    "--json", "dest", type=click.Path(path_type=Path), help="Write the report to this JSON file (- for stdout)."
)
@click.option("--overwrite", is_flag=True, help="Overwrite the JSON file if it exists.")
@click.option("--list", "is_list", is_flag=True, help="List the metrics and what they require, and exit.")
@click.pass_context
def command(
    ctx: click.Context,
    options: EvaluationOptions,
    names: str | None,
    dest: Path | None,
    overwrite: bool,
    is_list: bool,
) -> None:
    """Compute quality metrics of a model, or compare two sets of images.

    By default: kernel distance (kid), Fréchet distance (fd), precision and recall (pr) of lite0 features, which are
    installed by pip, and density fidelity if the dataset has densities. The official metrics fid50k_full, kid50k_full,
    pr50k3_full and is50k need the official weights. Features of real images are cached in the folder `features` of the
    user's cache folder, or of CROWDGAN_CACHE.

    \b
    Examples:
      crowdgan metrics --network model.safetensors --data crowds.zip
      crowdgan metrics --network model.safetensors --data crowds.zip --num-images 5000 --json metrics.json
      crowdgan metrics --data crowds.zip --against generated_folder --metrics kid_lite0
      crowdgan metrics --network model.safetensors --data crowds.zip --metrics fid50k_full \\
          --weights inception=inception-2015-12-05.pt
      crowdgan metrics --list
    """
    if ctx.invoked_subcommand is not None:
        return
    if is_list:
        _list_metrics(ctx, options)
        return
    if options.network is None and options.data is None:
        raise click.UsageError("Missing option '--network' or '--data'. For the metrics: crowdgan metrics --list")
    _evaluate(options, names, dest, overwrite=overwrite)


def _evaluate(options: EvaluationOptions, names: str | None, dest: Path | None, *, overwrite: bool) -> None:
    from crowdgan_core.io.atomic import check_file_overwrite, write_bytes
    from crowdgan_core.metrics import evaluation
    from crowdgan_core.metrics.opening import open_inputs

    if dest is not None and dest != STDOUT:
        check_file_overwrite(dest, overwrite=overwrite)
    plugins = installed_plugins()
    with open_inputs(options, plugins) as inputs:
        chosen = None if names is None else _split(names)
        selection = evaluation.choose_metrics(chosen, inputs, plugins.metrics, options.features, options.num_images)
        evaluation.check_available(inputs, selection.metrics, options.num_images)
        _announce(inputs, selection, options)
        with progress_bar() as progress:
            report = evaluation.compute_metrics(
                inputs, selection, num_images=options.num_images, on_error="skip", progress=progress
            )
    if dest == STDOUT:
        click.echo(report.to_bytes().decode(), nl=False)
    elif report.results:
        _print_report(report)
    if dest is not None and dest != STDOUT:
        write_bytes(dest, report.to_bytes(), overwrite=overwrite)
        click.echo(printable(f"wrote {dest}"), err=True)
    if report.failed:
        raise CrowdganError(evaluation.list_reasons(report.failed))


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _announce(inputs: EvaluationInputs, selection: MetricSelection, options: EvaluationOptions) -> None:
    """Prints the metrics and the number of images before the computation."""
    from crowdgan_core.metrics.evaluation import images_of

    for name, reason in selection.skipped.items():
        click.echo(printable(f"skipped: {name}: {reason}"), err=True)
    if inputs.generator is None:
        click.echo(f"metrics: {', '.join(metric.name for metric in selection.metrics)}", err=True)
        return
    by_count: dict[int, list[str]] = {}
    for metric in selection.metrics:
        by_count.setdefault(images_of(metric, options.num_images), []).append(metric.name)
    for count, names in by_count.items():
        click.echo(f"{count} generated images (--num-images), seed {options.seed}: {', '.join(names)}", err=True)


def _print_report(report: EvaluationReport) -> None:
    rows = []
    for result in report.results:
        num_real = "" if result.num_real is None else str(result.num_real)
        for key, value in result.values.items():
            rows.append((key, f"{value.value:.6g}", _error_text(value), num_real, str(result.num_generated)))
    other = "compared" if report.is_comparison else "generated"
    print_table(("metric", "value", "standard error", "real images", f"{other} images"), rows, left=("metric",))
    for note in report.notes:
        click.echo(printable(f"note: {note}"))
    for result in report.results:
        for note in result.notes:
            click.echo(printable(f"note: {result.name}: {note}"))


def _error_text(value: MetricValue) -> str:
    return "" if value.standard_error is None else f"{value.standard_error:.2g}"


def _list_metrics(ctx: click.Context, options: EvaluationOptions) -> None:
    """Prints the metrics with their descriptions: those that are available, and the others by the reason."""
    from crowdgan_core.metrics.evaluation import unavailable_reason
    from crowdgan_core.metrics.opening import open_inputs

    metrics = installed_plugins().metrics
    by_reason: dict[str | None, list[tuple[str, str]]] = {None: []}
    with open_inputs(options, installed_plugins()) as inputs:
        for name, metric in metrics.items():
            by_reason.setdefault(unavailable_reason(metric, inputs), []).append((name, metric.description))
    formatter = ctx.make_formatter()
    for reason, rows in by_reason.items():
        heading = "Available:" if reason is None else f"Not available: {reason}"
        formatter.write(fill(heading, formatter.width, break_long_words=False, break_on_hyphens=False) + "\n")
        with formatter.indentation():
            formatter.write_dl(rows or [("none", "")])
        formatter.write_paragraph()
    click.echo(formatter.getvalue().rstrip())
