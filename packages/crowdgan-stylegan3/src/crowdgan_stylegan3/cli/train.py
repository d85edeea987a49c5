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

from crowdgan_core.cli.common.dataclass_options import add_options, given_options
from crowdgan_core.cli.common.model_options import DEVICES
from crowdgan_core.cli.common.output import printable
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_stylegan3.backend_name import BACKEND_NAME
from crowdgan_stylegan3.training.config.options import TrainOptions

if TYPE_CHECKING:
    from crowdgan_stylegan3.training.api import RunChoice
    from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

SIGNAL_EXIT_CODE = 128
"""Exit code after a signal, to which its number is added, as in shells."""

REQUIRED = "a new run needs --outdir and --data; use --resume RUN to resume a run"


@click.command(BACKEND_NAME)
@click.option("--outdir", type=click.Path(path_type=Path), help="Parent of run folders.  [required for a new run]")
@add_options(TrainOptions)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Run folder to resume, or model (file or pretrained) to start from.",
)
@click.option("--desc", help="Suffix of the run folder name.")
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Compute device; auto selects a GPU if available.",
)
@click.option("--new", is_flag=True, help="Start a new run even if a matching run could be resumed.")
@click.option("-n", "--dry-run", is_flag=True, help="Print config, memory and time estimates, then exit.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    outdir: Path | None,
    resume: Path | None,
    desc: str | None,
    device: str,
    new: bool,
    dry_run: bool,
    **values: Any,
) -> None:
    """Train StyleGAN3 or StyleGAN2 on a dataset, conditioned on its labels.

    A run has a folder OUTDIR/00000-… with its options, log, stats.jsonl, sample images with one row per class, models
    for crowdgan generate (network-snapshot-….safetensors), and checkpoint.safetensors. The same command resumes the
    run from the checkpoint, exactly as if it had not stopped; Ctrl-C writes a checkpoint. The options are those of the
    official trainer.

    \b
    Examples:
      crowdgan train stylegan3 --outdir runs --data crowds.zip --cfg stylegan3-t --batch 32 --cbase 16384
      crowdgan train stylegan3 --outdir runs --data crowds.zip --cfg stylegan3-r --gpus 8 --batch 32 --mirror 1
      crowdgan train stylegan3 --outdir runs --data crowds.zip --resume ffhq.pkl --kimg 5000 --snap 10
      crowdgan train stylegan3 --resume runs/00000-stylegan3-t-crowds-batch32-gamma2 --kimg 30000
      crowdgan train stylegan3 --outdir runs --data crowds.zip --dry-run
    """
    import torch

    from crowdgan_stylegan3.training.api import run_training
    from crowdgan_stylegan3.training.data.dataset import open_training_data
    from crowdgan_stylegan3.training.reporting.snapshot_metrics import SnapshotMetrics
    from crowdgan_stylegan3.training.run import config_for
    from crowdgan_stylegan3.training.runtime.distributed import SharedError, check_gpus
    from crowdgan_stylegan3.training.runtime.torchrun import torchrun_world_size

    def choose() -> RunChoice:
        options, run = _options_and_run(ctx, resume, values)
        if run is None and outdir is None:
            raise click.UsageError(REQUIRED, ctx)
        if run is not None and (new or outdir is not None or desc is not None):
            raise click.UsageError("--resume RUN resumes the run in its folder; remove --outdir, --desc and --new", ctx)
        return options, run

    is_single = torchrun_world_size() is None
    if is_single or dry_run:
        options, run = choose()
    if is_single:
        check_gpus(options.gpus, device)
        with open_training_data(options.data, conditional=options.conditional) as data:
            config = config_for(options, data, run)  # errors before any process is started
            if options.metrics is not None:
                SnapshotMetrics.select(options, data, config, torch.device("cpu"))
    if dry_run:
        _print_dry_run(options, run, device)
        return
    if is_single and options.gpus > 1:
        ctx.exit(_run_processes(options.gpus))
    try:
        _, signal_number = run_training(
            choose,
            data=values["data"],
            outdir=outdir,
            description=desc,
            new=new,
            device=device,
            reporting=_echo_main_rank,
        )
    except SharedError:  # the main rank prints it
        sys.exit(1)
    if signal_number:
        ctx.exit(SIGNAL_EXIT_CODE + signal_number)


def _options_and_run(ctx: click.Context, resume: Path | None, values: dict[str, Any]) -> RunChoice:
    """The options, changed by the command line, and the run to resume, if any.

    The options of a resumed run are the stored ones; those of the networks are from the model in `resume`, if any.

    Raises:
        CheckpointError: no such run folder or model.
        ConfigError: options that contradict one another, or a run that cannot be resumed.
    """
    from crowdgan_stylegan3.training.checkpoints.transfer import network_options, read_generator_config
    from crowdgan_stylegan3.training.reporting.snapshot_metrics import absolute_weights
    from crowdgan_stylegan3.training.run import options_of
    from crowdgan_stylegan3.training.runtime.torchrun import torchrun_world_size

    if resume is not None:
        resume = find_model(resume, installed_plugins(), expected="run folder or model", accepts_folder=True)
    given = given_options(TrainOptions, ctx)
    for options in (values, given):
        if options.get("data") is not None:
            options["data"] = options["data"].resolve()
        if options.get("weights"):
            options["weights"] = absolute_weights(options["weights"])
    if (world_size := torchrun_world_size()) is not None:
        values["gpus"] = given["gpus"] = world_size
    if resume is not None and resume.is_dir():
        run = RunFolder(resume)
        return options_of(run, given), run
    if values["data"] is None:
        raise click.UsageError(REQUIRED, ctx)
    if resume is None:
        return TrainOptions(**values), None
    config = read_generator_config(resume)
    inherited = {} if config is None else network_options(config)
    return TrainOptions(**{**values, **inherited, **given}, source=resume.resolve()), None


def _print_dry_run(options: TrainOptions, run: RunFolder | None, device: str) -> None:
    """Prints the config as JSON on stdout, and memory and time estimates on stderr."""
    from crowdgan_stylegan3.device import resolve_device
    from crowdgan_stylegan3.training.data.dataset import open_training_data
    from crowdgan_stylegan3.training.reporting.resources import choose_micro_batch, estimate_resources
    from crowdgan_stylegan3.training.run import config_for
    from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

    with open_training_data(options.data, conditional=options.conditional) as data:
        config = config_for(options, data, run)
        context = DistributedContext(device=resolve_device(device))
        schedule = options.schedule(batch_gpu=choose_micro_batch(config, options.micro_batch_candidates, context))
        record = {"training": config.to_json(), "schedule": asdict(schedule)}
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        click.echo(printable(data.labels.describe()), err=True)
        click.echo("timing a training step …", err=True)
        click.echo(estimate_resources(config, schedule, data.labels, context, gpus=options.gpus).describe(), err=True)


def _run_processes(count: int) -> int:
    """Runs the same command once per GPU with torchrun; returns the exit code, after a signal that of one process."""
    from crowdgan_stylegan3.training.runtime.torchrun import torchrun_command

    received: list[int] = []
    command = torchrun_command(count, sys.argv[1:])
    # in a new session, so that a terminal's Ctrl-C reaches it once, through this process
    with subprocess.Popen(command, start_new_session=True) as torchrun:  # noqa: S603  # this process's own arguments

        def forward_signal(number: int, frame: FrameType | None) -> None:
            received.append(number)
            torchrun.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward_signal)
        code = torchrun.wait()
    return SIGNAL_EXIT_CODE + received[0] if received else code


@contextmanager
def _echo_main_rank(context: DistributedContext) -> Iterator[None]:
    """Context in which the main rank prints log messages on stderr."""
    if not context.is_main:
        yield
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
    """Prints log messages on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message."""
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        click.echo(printable(prefix + record.getMessage()), err=True)
