"""`crowdgan metrics density`: requested against measured density of a model."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import click

from crowdgan_core.api import open_dataset
from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.lazy_command import load_command
from crowdgan_core.cli.common.output import print_table, printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.metrics.fidelity_report import (
    REPORT_NAME,
    FidelityReport,
    PredictorReport,
    encode_report,
)
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.metric import MetricValue
from crowdgan_core.metrics.opening import open_inputs
from crowdgan_core.metrics.options import EvaluationOptions
from crowdgan_core.metrics.predictor_calls import available_predictors
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import NO_VALUE
from crowdgan_density.fidelity.annotated_images import split_dataset
from crowdgan_density.fidelity.contact_sheet import best_worst_sheet
from crowdgan_density.fidelity.density_scale import DensityScale
from crowdgan_density.fidelity.evaluation import evaluate_fidelity
from crowdgan_density.fidelity.image_sets import ConditionedImages, LabelledImages, RequestedImages
from crowdgan_density.fidelity.metric import INTRA_CLASS_EXTRACTOR

SHEET_NAME, FIGURE_NAME = "best-worst.png", "density-fidelity.png"
"""File names of the contact sheet and of the figure."""

PLOT_COMMAND = "plot fidelity"
"""Command that draws the figure, if its package is installed."""

DEFAULT_NUM_IMAGES = 600
"""Generated images of all classes together; the standard error of an accuracy is then about 2 %."""


@click.command("density")
@options_from(
    EvaluationOptions, "network", "data", "against", "num_images", "seed", "device", num_images=DEFAULT_NUM_IMAGES
)
@options_from(GenerationOptions, "truncation_psi", "batch_size")
@click.option("--outdir", type=click.Path(path_type=Path), required=True, help="Output folder.")
@click.option("--overwrite", is_flag=True, help="Overwrite existing files.")
def command(options: EvaluationOptions, generation: GenerationOptions, outdir: Path, overwrite: bool) -> None:
    """Measure whether generated images have the requested density.

    Density predictors are fitted to 80 % of the annotated images of the dataset. Their score on the other 20 % is the
    floor: what real images reach. Each latent is generated with every class, or with 8 densities for continuous
    labels. A score is void if the predictor does not measure the density of real images, or if permuted requests do
    not score chance.

    Writes density-fidelity.json (all numbers), best-worst.png (images nearest to and farthest from the request) and,
    with crowdgan-plot, the figure density-fidelity.png.

    \b
    Examples:
      crowdgan metrics density --network model.safetensors --data crowds.zip --outdir fidelity
      crowdgan metrics density --network model.safetensors --data crowds.zip --num-images 3000 --outdir fidelity
      crowdgan metrics density --data crowds.zip --against generated.zip --outdir fidelity
    """
    if options.data is None:
        raise click.UsageError("Missing option '--data'.")
    if options.network is None and options.against is None:
        raise click.UsageError("Missing option '--network' or '--against'.")
    figure = installed_plugins().commands.get(PLOT_COMMAND)
    for name in (REPORT_NAME, SHEET_NAME, *([FIGURE_NAME] if figure is not None else [])):
        check_overwrite(outdir / name, overwrite=overwrite)
    with atomic_writer(outdir) as write:  # a folder that cannot be created is an error before the computation
        report, sheet = _evaluate(options, generation)
        write(REPORT_NAME, encode_report(report), overwrite=overwrite)
        write(SHEET_NAME, sheet, overwrite=overwrite)
    _print(report)
    for name in (REPORT_NAME, SHEET_NAME):
        click.echo(printable(f"wrote {outdir / name}"), err=True)
    if figure is not None:
        arguments = [str(outdir / REPORT_NAME), "--out", str(outdir / FIGURE_NAME), "--overwrite"]
        load_command(figure.command).main(arguments, prog_name=f"crowdgan {PLOT_COMMAND}", standalone_mode=False)


def _evaluate(options: EvaluationOptions, generation: GenerationOptions) -> tuple[FidelityReport, bytes]:
    """The report and the contact sheet as PNG."""
    plugins = installed_plugins()
    with ExitStack() as stack:
        inputs = stack.enter_context(open_inputs(replace(options, against=None), plugins))
        if inputs.dataset is None:
            raise ConfigError(f"{options.data}: not a dataset with labels; write one with `crowdgan label`")
        annotated = split_dataset(inputs.dataset, seed=options.seed)
        images = stack.enter_context(_open_images(options, generation, inputs, annotated.scale))
        predictors, unavailable = available_predictors(plugins)
        for reason in unavailable:
            click.echo(printable(f"skipped: predictor {reason}"), err=True)
        has_features = inputs.unavailable_extractor(INTRA_CLASS_EXTRACTOR) is None
        progress = stack.enter_context(progress_bar())
        report = evaluate_fidelity(
            annotated,
            images,
            predictors,
            load_extractor=inputs.extractor,
            intra_class_extractor=INTRA_CLASS_EXTRACTOR if has_features else None,
            unavailable=unavailable,
            seed=options.seed,
            device=options.device,
            progress=progress,
        )
        file = io.BytesIO()
        best_worst_sheet(report, images, annotated.scale).save(file, "PNG")
    return report, file.getvalue()


@contextmanager
def _open_images(
    options: EvaluationOptions, generation: GenerationOptions, inputs: EvaluationInputs, scale: DensityScale
) -> Iterator[RequestedImages]:
    """The images to measure: generated ones, or those of a second dataset."""
    if options.against is not None:
        with open_dataset(options.against) as reader:
            yield LabelledImages(reader, scale)
    else:
        assert inputs.generator is not None
        assert options.network is not None
        yield ConditionedImages(
            inputs.generator,
            options.network.name,
            scale,
            num_images=options.num_images or DEFAULT_NUM_IMAGES,
            seed=options.seed,
            options=generation,
        )


def _print(report: FidelityReport) -> None:
    """Prints the scores with their floors, the controls and the verdict."""
    kind = "classes" if report.label_kind == "class" else report.unit
    click.echo(printable(f"{report.images}: {len(report.measured)} images, requested against measured density"))
    click.echo(f"floor: {report.num_held_out} real images; predictors fitted to {report.num_training} others")
    rows = [row for predictor in report.predictors for row in _rows(predictor, report, kind)]
    print_table(["predictor", "score", "generated", "floor", "chance"], rows, left=("predictor", "score"))
    for item in report.intra_class:
        text = item.reason or (_text(item.distance, scale=1000) if item.distance else NO_VALUE)
        name = f"KID of {item.class_name} ({report.intra_class_extractor}, ×1000)"
        click.echo(printable(f"{name}: {text}"))
    for line in _verdict(report):
        click.echo(printable(line))


def _rows(predictor: PredictorReport, report: FidelityReport, kind: str) -> list[list[str]]:
    generated, floor = predictor.generated, predictor.held_out
    chance = f"{predictor.chance_accuracy:.3f}"
    rows = [["accuracy", _text(generated.accuracy), _text(floor.accuracy), chance]]
    for name, value, real in zip(report.classes, generated.recall, floor.recall, strict=True):
        rows.append([f"  {name}", _number(value), _number(real), ""])
    rows += [
        [f"mean error ({kind})", _text(generated.mae), _text(floor.mae), ""],
        ["rank correlation", _text(generated.spearman), _text(floor.spearman), "0.000"],
        ["ordered pairs", _text(generated.ordering), _text(floor.ordering), "0.500"],
        ["slope", _number(generated.slope), _number(floor.slope), "0.000"],
        ["permuted requests", _number(predictor.control_accuracy), "", chance],
    ]
    title = f"{predictor.name} (void)" if predictor.is_void else predictor.name
    return [[title if index == 0 else "", *row] for index, row in enumerate(rows)]


def _verdict(report: FidelityReport) -> Iterator[str]:
    """Lines about validity and agreement."""
    for predictor in report.predictors:
        for reason in predictor.void_reasons:
            yield f"void: {predictor.name}: {reason}"
        for warning in predictor.warnings:
            yield f"warning: {predictor.name}: {warning}"
    for note in (*report.unavailable, *report.notes):
        yield f"note: {note}"
    agreement, headline = report.agreement, report.headline
    if agreement is not None:
        names = " and ".join(agreement.names)
        same = (
            f"{agreement.generated_same_class:.0%} of generated and {agreement.held_out_same_class:.0%} of real images"
        )
        yield f"{names} measure the same class in {same}"
        if not agreement.agree:
            yield f"warning: {names} disagree about the score by {agreement.excess_difference:.0%}; do not rely on it"
    elif headline is not None:
        yield f"warning: only one valid predictor, {headline.name}; a score needs two that agree"
    if headline is None:
        yield "no valid score: more annotated images, or images that show density, are needed"
    else:
        yield (
            f"density fidelity ({headline.name}): accuracy {_text(headline.generated.accuracy)}, "
            f"floor {_text(headline.held_out.accuracy)}, difference {_text(headline.excess_accuracy)}"
        )


def _text(value: MetricValue | None, scale: float = 1) -> str:
    if value is None:
        return NO_VALUE
    error = "" if value.standard_error is None else f" ± {scale * value.standard_error:.3f}"
    return f"{scale * value.value:.3f}{error}"


def _number(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.3f}"
