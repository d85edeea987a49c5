"""`crowdgan train stylegan3`: training, with the official trainer's options."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from crowdgan_core.cli.common.model_options import DEVICES
from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_stylegan3.config import BACKEND_NAME, VARIANTS

if TYPE_CHECKING:
    from crowdgan_stylegan3.training.config.options import TrainOptions
    from crowdgan_stylegan3.training.config.training_config import TrainingConfig
    from crowdgan_stylegan3.training.data.dataset import TrainingData
    from crowdgan_stylegan3.training.run_folder import RunFolder
    from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

SIGNALLED = 128
"""Exit code after a signal, to which its number is added, as shells have it."""

GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
"""Where options come from that a user gave."""

NEEDED = "a new run needs --outdir and --data; --resume RUN goes on with one"

AUGMENTATIONS, ON_NON_FINITE = ("noaug", "ada", "fixed"), ("stop", "skip")
"""Choices that `crowdgan_stylegan3.training` has too, which loads torch."""


class NumberOrAuto(click.ParamType[Any]):
    """A number, or `auto` as None."""

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.name, self._kind = f"{'integer' if kind is int else 'float'}|auto", kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float | None:
        """The number."""
        if value == "auto":
            return None
        try:
            return self._kind(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor auto", param, ctx)


@click.command(BACKEND_NAME)
@click.option("--outdir", type=click.Path(path_type=Path), help="Folder for run folders.  [required for a new run]")
@click.option("--data", type=click.Path(path_type=Path), help="Dataset: zip, folder, HDF5.  [required for a new run]")
@click.option(
    "--cfg", "variant", type=click.Choice(VARIANTS), default="stylegan3-t", show_default=True, help="Kind of generator."
)
@click.option("--gpus", type=click.IntRange(min=1), default=1, show_default=True, help="GPUs of this machine.")
@click.option(
    "--batch", type=NumberOrAuto(int), default="auto", show_default=True, help="Images per step, over all GPUs."
)
@click.option(
    "--gamma",
    "r1_gamma",
    type=NumberOrAuto(float),
    default="auto",
    show_default=True,
    help="Weight of R1: higher is steadier, lower is freer. Auto goes by resolution and batch.",
)
@click.option("--cond", "conditional", type=bool, help="Train on the labels.  [default: where the dataset has some]")
@click.option("--mirror", type=bool, default=False, show_default=True, help="Show images mirrored too.")
@click.option(
    "--aug",
    "augment",
    type=click.Choice(AUGMENTATIONS),
    default="ada",
    show_default=True,
    help="Augmentation of what D sees: none, adaptive, or with the probability --p.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="A run folder to go on with; or a model to start from: NAME.safetensors, or an official NETWORK.pkl.",
)
@click.option(
    "--freezed", "num_frozen", type=click.IntRange(min=0), default=0, show_default=True, help="Layers of D that stay."
)
@click.option("--p", "augment_p", type=click.FloatRange(0, 1), help="Probability of --aug fixed.")
@click.option("--target", "ada_target", type=float, help="Mean sign of D that --aug ada keeps.  [default: 0.6]")
@click.option(
    "--batch-gpu",
    type=NumberOrAuto(int),
    default="auto",
    show_default=True,
    help="Images that a GPU takes at once. Auto: as many as its memory holds.",
)
@click.option("--cbase", "channel_base", type=int, default=32768, show_default=True, help="Capacity of the networks.")
@click.option("--cmax", "channel_max", type=int, default=512, show_default=True, help="Most channels of a layer.")
@click.option("--glr", "generator_lr", type=float, help="Learning rate of G.  [default: 0.0025, for stylegan2 0.002]")
@click.option("--dlr", "discriminator_lr", type=float, default=0.002, show_default=True, help="Learning rate of D.")
@click.option(
    "--map-depth", "mapping_layers", type=int, help="Layers of the mapping network.  [default: 2, for stylegan2 8]"
)
@click.option("--mbstd-group", "group_size", type=int, help="Images per standard deviation in D.  [default: 4]")
@click.option("--desc", help="Ends the name of the run folder.")
@click.option("--metrics", default="none", show_default=True, help="Quality metrics at snapshots.")
@click.option(
    "--kimg", "total_kimg", type=float, default=25000, show_default=True, help="Thousands of images to train on."
)
@click.option(
    "--tick", "tick_kimg", type=float, help="Thousands of images per status line.  [default: 4, or 1/50 of --kimg]"
)
@click.option(
    "--snap", "snapshot_ticks", type=int, help="Status lines per snapshot.  [default: 50; 10 where --tick is below 4]"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides all that is random.")
@click.option("--fp32", type=bool, default=False, show_default=True, help="No half precision, on a GPU.")
@click.option("--nobench", type=bool, default=False, show_default=True, help="No trials by cuDNN of what is fastest.")
@click.option("--workers", type=int, help="Processes that read images.  [default: 3, or a core fewer than there are]")
@click.option(
    "--nan",
    "on_non_finite",
    type=click.Choice(ON_NON_FINITE),
    default="stop",
    show_default=True,
    help="When a loss is not a number, stop, or go on without that step.",
)
@click.option(
    "--save-minutes",
    "checkpoint_minutes",
    type=float,
    default=15,
    show_default=True,
    help="Longest time between checkpoints.",
)
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to compute.")
@click.option("--new", "anew", is_flag=True, help="Start another run, even where one with these options can go on.")
@click.option("-n", "--dry-run", is_flag=True, help="Print all settings, memory and time, and exit.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    outdir: Path | None,
    resume: Path | None,
    desc: str | None,
    metrics: str,
    nobench: bool,
    gpus: int,
    device: str,
    anew: bool,
    dry_run: bool,
    **values: Any,
) -> None:
    """Train a model on a dataset of crowdgan label or convert, conditional on its density labels.

    A run has a folder OUTDIR/00000-…: settings, log, stats.jsonl, sample images with one row per class, models for
    crowdgan generate (network-snapshot-….safetensors), and checkpoint.safetensors. The same command again goes on from
    the checkpoint, exactly as if it had not stopped; Ctrl-C writes one. Options are the official trainer's.

    \b
    Examples:
      crowdgan train stylegan3 --outdir runs --data crowds.zip --cfg stylegan3-t --batch 32 --cbase 16384
      crowdgan train stylegan3 --outdir runs --data crowds.zip --cfg stylegan3-r --gpus 8 --batch 32 --mirror 1
      crowdgan train stylegan3 --outdir runs --data crowds.zip --resume ffhq.pkl --kimg 5000 --snap 10
      crowdgan train stylegan3 --resume runs/00000-stylegan3-t-crowds-batch32-gamma2 --kimg 30000
      crowdgan train stylegan3 --outdir runs --data crowds.zip --dry-run
    """
    from crowdgan_stylegan3.training.data.dataset import open_training_data
    from crowdgan_stylegan3.training.reporting.resources import choose_micro_batch
    from crowdgan_stylegan3.training.run import Request, chosen_metrics, shared_plan, train
    from crowdgan_stylegan3.training.runtime.distributed import check_gpus, init_distributed, started_processes

    measured = chosen_metrics(metrics)
    run, choices = _chosen(ctx, resume, {**values, "benchmark": not nobench, "gpus": started_processes() or gpus})
    if run is None and outdir is None:
        raise click.UsageError(NEEDED, ctx)
    if run is not None and (anew or outdir is not None or desc is not None):
        raise click.UsageError("--resume RUN goes on in that folder; leave out --outdir, --desc and --new", ctx)
    request = Request(choices=choices, run=run, outdir=outdir, description=desc, anew=anew)
    if started_processes() is None:
        check_gpus(choices.gpus, device)
    with open_training_data(choices.data, conditional=choices.conditional) as data:
        settings = request.settings(data)
        if dry_run:
            _print_plan(choices, settings, data, device)
            return
        if started_processes() is None and choices.gpus > 1:
            ctx.exit(_run_processes(choices.gpus))
        with init_distributed(device) as world, _said_once(world):
            batch_gpu = choose_micro_batch(settings, choices.possible_batch_gpu, world)
            plan = shared_plan(world, lambda: request.plan(settings, batch_gpu))
            stopped = train(plan, data, world, measured)
    if stopped:
        ctx.exit(SIGNALLED + stopped)


def _chosen(ctx: click.Context, resume: Path | None, values: dict[str, Any]) -> tuple[RunFolder | None, TrainOptions]:
    """The run to go on with, if there is one, and the choices: of such a run those that it was started with, unless
    the command line says otherwise.

    Raises:
        ConfigError: choices that do not go together, or no run to go on with.
    """
    from crowdgan_stylegan3.training.config.options import TrainOptions
    from crowdgan_stylegan3.training.run import choices_of_run
    from crowdgan_stylegan3.training.run_folder import RunFolder
    from crowdgan_stylegan3.training.runtime.distributed import started_processes

    if resume is not None and not resume.exists():
        raise ConfigError(f"{resume}: there is no such run folder or model")
    if values["data"] is not None:
        values["data"] = values["data"].resolve()
    if resume is not None and resume.is_dir():
        names = {"nobench": "benchmark"}
        given = {names.get(name, name) for name in ctx.params if ctx.get_parameter_source(name) in GIVEN}
        given |= {"gpus"} if started_processes() is not None else set()
        run = RunFolder(resume)
        return run, choices_of_run(run, {name: values[name] for name in given & values.keys()})
    if values["data"] is None:
        raise click.UsageError(NEEDED, ctx)
    return None, TrainOptions(**values, source=None if resume is None else resume.resolve())


def _print_plan(choices: TrainOptions, settings: TrainingConfig, data: TrainingData, device: str) -> None:
    """Prints all settings as JSON on stdout, and on stderr what training would take."""
    from crowdgan_stylegan3.device import resolve_device
    from crowdgan_stylegan3.training.reporting.resources import choose_micro_batch, estimate_resources
    from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

    world = DistributedContext(device=resolve_device(device))
    schedule = choices.schedule(batch_gpu=choose_micro_batch(settings, choices.possible_batch_gpu, world))
    click.echo(json.dumps({"training": settings.to_json(), "schedule": asdict(schedule)}, indent=2, ensure_ascii=False))
    click.echo(printable(data.labels.describe()), err=True)
    click.echo("measuring a step …", err=True)
    click.echo(estimate_resources(settings, schedule, data.labels, world, gpus=choices.gpus).describe(), err=True)


def _run_processes(count: int) -> int:
    """Runs the same command once per GPU, by torchrun; returns the exit code, after a signal as one process has it."""
    from crowdgan_stylegan3.training.runtime.distributed import torchrun_command

    received: list[int] = []
    command = torchrun_command(count, sys.argv[1:])
    # in a session of its own: a terminal's Ctrl-C then reaches it through this process alone, once
    with subprocess.Popen(command, start_new_session=True) as torchrun:  # noqa: S603  # this process's own arguments

        def hand_on(number: int, frame: FrameType | None) -> None:
            received.append(number)
            torchrun.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, hand_on)
        code = torchrun.wait()
    return SIGNALLED + received[0] if received else code


@contextmanager
def _said_once(world: DistributedContext) -> Iterator[None]:
    """Shows what training says on stderr, and errors, by the first process alone; all processes have the same."""
    if not world.is_first:
        try:
            yield
        except CrowdganError:
            sys.exit(1)
        return
    from crowdgan_stylegan3.training.run import logger

    handler, before = EchoHandler(), (logger.level, logger.propagate)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


class EchoHandler(logging.Handler):
    """Shows messages on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Shows one."""
        start = "warning: " if record.levelno >= logging.WARNING else ""
        click.echo(printable(start + record.getMessage()), err=True)
