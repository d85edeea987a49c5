"""What a user asks for, and the run that it means: a new one, or one that goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch.distributed as dist

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_stylegan3.training.checkpoints.training_state import Checkpoint, read_checkpoint, restore_trainer
from crowdgan_stylegan3.training.checkpoints.transfer import read_weights, transfer
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.config.schedule import ScheduleConfig
from crowdgan_stylegan3.training.config.training_config import TrainingConfig, diff_configs
from crowdgan_stylegan3.training.data.dataset import ImageDataset, TrainingData, batches
from crowdgan_stylegan3.training.data.sampler import ImageSampler
from crowdgan_stylegan3.training.loop import Loop
from crowdgan_stylegan3.training.reporting.snapshots import METRICS, Metric, Snapshots
from crowdgan_stylegan3.training.run_folder import RunFolder, new_run, runs_in
from crowdgan_stylegan3.training.runtime.cudnn import precision
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run that is about to start or to go on."""

    run: RunFolder
    choices: TrainOptions
    settings: TrainingConfig
    schedule: ScheduleConfig
    checkpoint: Path | None
    """What it goes on from; None for a start."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run that is asked for."""

    choices: TrainOptions
    run: RunFolder | None = None
    """The run to go on with; None to look for one with the same settings."""
    outdir: Path | None = None
    """Folder of run folders."""
    description: str | None = None
    """Ends the name of a new run folder."""
    anew: bool = False
    """Whether to start another run in any case."""

    def settings(self, data: TrainingData) -> TrainingConfig:
        """All settings of the run.

        Raises:
            ConfigError: choices that make no networks, or that are not those of the run to go on with.
        """
        settings = resolve_config(self.choices, resolution=data.resolution, label_dim=data.labels.dim)
        if self.run is not None:
            kept = replace(read_checkpoint(self.run.checkpoint).settings, data=settings.data)  # it may have moved
            if changed := diff_configs(kept, settings):
                raise ConfigError(f"{self.run.path}: a run that goes on keeps its settings: {'; '.join(changed)}")
        return settings

    def plan(self, settings: TrainingConfig, batch_gpu: int) -> Plan:
        """The run; makes its folder if it is new.

        Args:
            settings: of the run.
            batch_gpu: images that a process takes at once; a run that goes on keeps its number where that can be,
                since augmentations are drawn for as many.

        Raises:
            ConfigError: the run has ended, so that there is nothing to do.
            DatasetError: the folder cannot be made.
        """
        schedule = self.choices.schedule(batch_gpu=batch_gpu)
        run = self.run or (None if self.anew else self._same_run(settings))
        if run is None:
            assert self.outdir is not None, "a request names a run or a folder for runs"
            run = new_run(self.outdir, settings, self.description)
        checkpoint = run.checkpoint if run.checkpoint.exists() else None
        if checkpoint is not None and (nimg := read_checkpoint(checkpoint).nimg) >= schedule.total_img:
            raise ConfigError(
                f"{run.path}: this run has ended, at {nimg / 1000:g} kimg; a higher --kimg goes on, --new starts anew"
            )
        if checkpoint is not None and (kept := _kept_batch_gpu(run)) in self.choices.possible_batch_gpu:
            schedule = replace(schedule, batch_gpu=kept)
        return Plan(run=run, choices=self.choices, settings=settings, schedule=schedule, checkpoint=checkpoint)

    def _same_run(self, settings: TrainingConfig) -> RunFolder | None:
        """The newest run with these settings, which the same command goes on with."""
        assert self.outdir is not None, "as in `plan`"
        return next((run for run in runs_in(self.outdir) if _settings_of(run) == settings), None)


def choices_of_run(run: RunFolder, changed: Mapping[str, Any]) -> TrainOptions:
    """The choices that a run was started with, but for those that are changed.

    Raises:
        ConfigError: no run, one without a checkpoint, or choices that do not go together.
    """
    if not run.checkpoint.exists():
        raise ConfigError(f"{run.path}: it holds no {run.checkpoint.name}, so there is nothing to go on from")
    return TrainOptions.from_json(run.settings()["options"], changed)


def chosen_metrics(names: str) -> Sequence[Metric]:
    """The metrics of `--metrics A,B`; none for `none`.

    Raises:
        ConfigError: there is no such metric.
    """
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name != "none" and name not in METRICS:
            raise ConfigError(f"--metrics {name}: there is no such metric; there are {', '.join(['none', *METRICS])}")
    return [METRICS[name] for name in wanted if name != "none"]


def _kept_batch_gpu(run: RunFolder) -> int:
    """Images that a process of a run took at once; 0 where that is not known."""
    schedule = run.settings().get("schedule", {})
    return int(schedule.get("batch_gpu", 0)) if isinstance(schedule, dict) else 0


def _settings_of(run: RunFolder) -> TrainingConfig | None:
    """The settings of a run; None for a folder that is none, or one of another version."""
    try:
        return TrainingConfig.from_json(run.settings()["training"])
    except ConfigError:
        return None


logger = logging.getLogger("crowdgan_stylegan3.training")
"""What a run says of itself; `log.txt` keeps it."""


def shared_plan(world: DistributedContext, make: Callable[[], Plan]) -> Plan:
    """The plan that the first process makes, on all processes; its error too."""
    if world.size == 1:
        return make()
    box: list[Any] = [None]
    if world.is_first:
        try:
            box = [make()]
        except Exception as error:  # the others would wait for ever
            box = [error]
    dist.broadcast_object_list(box, 0, group=world.control)
    if isinstance(box[0], Exception):
        raise box[0]
    plan: Plan = box[0]
    return plan


def train(plan: Plan, data: TrainingData, world: DistributedContext, metrics: Sequence[Metric] = ()) -> int:
    """Trains; returns the number of the signal that stopped it, or 0 at the end.

    Raises:
        CheckpointError: a checkpoint or model that cannot be used.
        ConfigError: another process trains in the run's folder.
        TrainingError: a loss is not finite, and that is to stop the run.
    """
    with _kept(plan, world), precision(benchmark=plan.schedule.benchmark):
        if world.is_first:
            plan.run.write_settings(
                options=plan.choices.to_json(), training=plan.settings.to_json(), schedule=asdict(plan.schedule)
            )
            _describe(plan, data, world)
        checkpoint = None if plan.checkpoint is None else read_checkpoint(plan.checkpoint)
        learner = _learner(plan, data, world, checkpoint)
        snapshots = Snapshots(plan.run, learner, data.reader, data.labels, metrics) if world.is_first else None
        if snapshots is not None:
            _begin(plan, snapshots, checkpoint)
        world.meet()
        images = ImageDataset(data.path, data.labels, mirror=plan.settings.mirror)
        order = ImageSampler(
            count=len(images),
            batch=plan.settings.batch,
            seed=plan.settings.seed,
            first=learner.nimg,
            rank=world.rank,
            world_size=world.size,
        )
        earlier = {} if checkpoint is None else checkpoint.clock
        loop = Loop(learner, plan.run, plan.schedule, snapshots, earlier)
        stopped = loop.train(batches(images, order, workers=plan.schedule.workers, device=world.device))
        _say_end(plan, learner, stopped)
        return stopped


def _learner(plan: Plan, data: TrainingData, world: DistributedContext, checkpoint: Checkpoint | None) -> Trainer:
    settings = plan.settings
    networks = Networks.random(settings)
    if checkpoint is None and settings.source is not None:
        _start_from(Path(settings.source), networks)
    learner = Trainer(
        settings,
        networks,
        world,
        batch_gpu=plan.schedule.batch_gpu,
        labels=data.labels.vectors,
        classes=data.labels.classes,
    )
    if checkpoint is not None:
        restore_trainer(learner, checkpoint)
    return learner


def _start_from(source: Path, networks: Networks) -> None:
    """Takes the weights of a model.

    Raises:
        CheckpointError: none of its generator's fit.
    """
    found = transfer(read_weights(source), networks)
    for part in found:
        logger.info(part.describe())
    if not found[0].taken:
        raise CheckpointError(f"{source}: no layer of its generator fits; it may be of another --cfg, or no generator")


def _begin(plan: Plan, snapshots: Snapshots, checkpoint: Checkpoint | None) -> None:
    if checkpoint is None:
        plan.run.forget_stats_after(-1)
        snapshots.begin()
        return
    plan.run.forget_stats_after(checkpoint.nimg)
    logger.info(f"going on from {checkpoint.path.name}, at {checkpoint.nimg / 1000:g} kimg")


def _describe(plan: Plan, data: TrainingData, world: DistributedContext) -> None:
    settings, schedule = plan.settings, plan.schedule
    logger.info(f"run: {plan.run.path}")
    logger.info(f"data: {data.path}, {len(data.reader)} images of {data.resolution}x{data.resolution} px")
    logger.info(data.labels.describe())
    for name in data.labels.empty_classes():
        logger.warning(f"the class {name} has no images: nothing of it will be learned")
    where = f"{world.size} x {world.device.type}" if world.size > 1 else world.device.type
    rounds = f", {schedule.batch_gpu} at once" if schedule.batch_gpu * world.size < settings.batch else ""
    augment = {"noaug": "none", "fixed": f"fixed at {settings.augment.p:g}", "ada": "adaptive"}[settings.augment.mode]
    logger.info(
        f"{settings.variant} on {where}: batch {settings.batch}{rounds}, gamma {settings.loss.r1_gamma:g}, "
        f"augmentation {augment}, {schedule.total_kimg:g} kimg"
    )


def _say_end(plan: Plan, learner: Trainer, stopped: int) -> None:
    kimg = f"{learner.nimg / 1000:g} kimg"
    if stopped:
        logger.info(f"stopped at {kimg}; the same command goes on, or --resume {plan.run.path}")
    else:
        logger.info(f"done, {kimg}: {plan.run.snapshot(learner.nimg / 1000)}")


@contextmanager
def _kept(plan: Plan, world: DistributedContext) -> Iterator[None]:
    """On the first process, keeps the run's folder from other runs, and in `log.txt` what this one says.

    Raises:
        ConfigError: another process trains in the folder.
    """
    if not world.is_first:
        yield
        return
    before = logger.level
    with plan.run.held():
        handler = logging.FileHandler(plan.run.log, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        except Exception as error:
            handler.handle(logger.makeRecord(logger.name, logging.ERROR, __file__, 0, str(error), (), None))
            raise
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)
            handler.close()
