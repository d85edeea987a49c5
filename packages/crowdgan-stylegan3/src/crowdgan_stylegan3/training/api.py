"""Training from Python: train, resume, estimate."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_stylegan3.device import resolve_device
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.data.dataset import open_training_data
from crowdgan_stylegan3.training.reporting.resources import ResourceEstimate, choose_micro_batch
from crowdgan_stylegan3.training.reporting.resources import estimate_resources as estimate_for
from crowdgan_stylegan3.training.reporting.snapshot_metrics import SnapshotMetrics
from crowdgan_stylegan3.training.run import (
    FinishedRunError,
    TrainingRun,
    check_newest,
    config_for,
    find_run,
    logger,
    options_of,
)
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext, init_distributed
from crowdgan_stylegan3.training.runtime.torchrun import check_restartable, max_restarts

Reporting = Callable[[DistributedContext], AbstractContextManager[object]]
"""Context around training on one rank, for example one that prints the log messages of the main rank."""

RunChoice = tuple[TrainOptions, RunFolder | None]
"""Options of a run, and the run that is resumed, if it is given by its folder."""


def train(options: TrainOptions, outdir: Path | str, *, new: bool = False, device: str = "auto") -> RunFolder:
    """Trains a model; resumes the newest run in `outdir` with the same config, if there is one.

    Args:
        options: options of the run.
        outdir: parent of run folders.
        new: start a new run even if one could be resumed.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: options that contradict one another, a metric that cannot be computed, or a run that has finished.
        DatasetError: the dataset cannot be read, or the run folder cannot be written.
        TrainingError: a loss is not finite.
    """
    return run_training(lambda: (options, None), data=options.data, outdir=Path(outdir), new=new, device=device)[0]


def resume(run: RunFolder | Path | str, *, device: str = "auto", **changed: Any) -> RunFolder:
    """Resumes a run exactly where it stopped, with changed options such as `total_kimg=8000`.

    Raises:
        ConfigError: unknown options, options that change the config of the run, or a run that has finished.
        CheckpointError: the checkpoint is damaged.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    known = [item.name for item in fields(TrainOptions)]
    for name in changed:
        if name not in known:
            raise ConfigError(f"no such option {name}; choose from {', '.join(known)}")
    return run_training(lambda: (options_of(folder, changed), folder), data=changed.get("data"), device=device)[0]


def estimate_resources(options: TrainOptions, *, device: str = "auto") -> ResourceEstimate:
    """Memory and time of a run, from one timed training step.

    Raises:
        ConfigError: options that contradict one another, or too little memory.
        DatasetError: the dataset cannot be read.
    """
    with open_training_data(options.data, conditional=options.conditional) as data:
        config = config_for(options, data)
        context = DistributedContext(device=resolve_device(device))
        schedule = options.schedule(batch_gpu=choose_micro_batch(config, options.micro_batch_candidates, context))
        return estimate_for(config, schedule, data.labels, context, gpus=options.gpus)


def run_training(
    choose: Callable[[], RunChoice],
    *,
    data: Path | None = None,
    outdir: Path | None = None,
    description: str | None = None,
    new: bool = False,
    device: str = "auto",
    reporting: Reporting = lambda _: nullcontext(),
) -> tuple[RunFolder, int]:
    """Trains on this rank; returns the run folder, and the number of the signal that stopped the run or 0.

    The main rank chooses the run and reads its files; other ranks need no access to them, and use their own dataset.

    Args:
        choose: returns the options, and the run to resume or None; called on the main rank.
        data: the dataset of this rank; None for that of the options.
        outdir: parent of run folders, for a run that is not resumed by its folder.
        description: suffix of the name of a new folder.
        new: start a new run even if one could be resumed.
        device: `auto`, `cpu` or `cuda`.
        reporting: context around training.
    """
    check_restartable(new=new)
    with init_distributed(device) as context, reporting(context), ExitStack() as stack:
        options, resumed = context.run_on_main(choose)
        dataset = context.run_together(
            lambda: stack.enter_context(open_training_data(data or options.data, conditional=options.conditional))
        )
        context.check_equal(dataset.fingerprint())
        config = context.run_on_main(lambda: config_for(options, dataset, resumed))
        known = resumed or (None if new else find_run(_parent(outdir), config, options))
        check_newest(known, context)
        micro_batch = choose_micro_batch(config, options.micro_batch_candidates, context)
        metrics: SnapshotMetrics | None = None

        def create() -> TrainingRun | RunFolder:
            nonlocal metrics
            metrics = SnapshotMetrics.select(options, dataset, config, context.device)  # errors before any output
            try:
                if resumed is not None:
                    return TrainingRun.resume(resumed, options, config, micro_batch=micro_batch)
                return TrainingRun.start(
                    options, config, outdir=_parent(outdir), micro_batch=micro_batch, description=description, new=new
                )
            except FinishedRunError as error:
                if not max_restarts():
                    raise
                assert known is not None, "a finished run exists"
                logger.info(f"nothing is left to do: {error}")
                return known

        run = context.run_on_main(create)
        return (run, 0) if isinstance(run, RunFolder) else (run.folder, run.train(dataset, context, metrics))


def _parent(outdir: Path | None) -> Path:
    assert outdir is not None, "a run is either resumed or has a parent folder"
    return outdir
