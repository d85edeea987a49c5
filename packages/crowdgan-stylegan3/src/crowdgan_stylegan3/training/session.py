"""A training run from its plan to its end, on each of the processes that take part."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch.distributed as dist

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.training.data import PictureOrder, TrainingData, TrainingPictures, batches
from crowdgan_stylegan3.training.distributed import World
from crowdgan_stylegan3.training.learner import Learner, Networks
from crowdgan_stylegan3.training.loop import Loop
from crowdgan_stylegan3.training.precision import precision
from crowdgan_stylegan3.training.request import Plan
from crowdgan_stylegan3.training.snapshots import Metric, Snapshots
from crowdgan_stylegan3.training.state import Checkpoint, read_checkpoint, restore
from crowdgan_stylegan3.training.transfer import read_source, transfer

logger = logging.getLogger("crowdgan_stylegan3.training")
"""What a run says of itself; `log.txt` keeps it."""


def shared_plan(world: World, make: Callable[[], Plan]) -> Plan:
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


def train(plan: Plan, data: TrainingData, world: World, metrics: Sequence[Metric] = ()) -> int:
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
        pictures = TrainingPictures(data.path, data.labels, mirror=plan.settings.mirror)
        order = PictureOrder(
            count=len(pictures),
            batch=plan.settings.batch,
            seed=plan.settings.seed,
            first=learner.nimg,
            rank=world.rank,
            world_size=world.size,
        )
        earlier = {} if checkpoint is None else checkpoint.clock
        loop = Loop(learner, plan.run, plan.schedule, snapshots, earlier)
        stopped = loop.train(batches(pictures, order, workers=plan.schedule.workers, device=world.device))
        _say_end(plan, learner, stopped)
        return stopped


def _learner(plan: Plan, data: TrainingData, world: World, checkpoint: Checkpoint | None) -> Learner:
    settings = plan.settings
    networks = Networks.random(settings)
    if checkpoint is None and settings.source is not None:
        _start_from(Path(settings.source), networks)
    learner = Learner(
        settings,
        networks,
        world,
        batch_gpu=plan.schedule.batch_gpu,
        labels=data.labels.vectors,
        classes=data.labels.classes,
    )
    if checkpoint is not None:
        restore(learner, checkpoint)
    return learner


def _start_from(source: Path, networks: Networks) -> None:
    """Takes the weights of a model.

    Raises:
        CheckpointError: none of its generator's fit.
    """
    found = transfer(read_source(source), networks)
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


def _describe(plan: Plan, data: TrainingData, world: World) -> None:
    settings, schedule = plan.settings, plan.schedule
    logger.info(f"run: {plan.run.path}")
    logger.info(f"data: {data.path}, {len(data.reader)} pictures of {data.resolution}x{data.resolution} px")
    logger.info(data.labels.describe())
    for name in data.labels.empty_classes():
        logger.warning(f"the class {name} has no pictures: nothing of it will be learned")
    where = f"{world.size} x {world.device.type}" if world.size > 1 else world.device.type
    rounds = f", {schedule.batch_gpu} at once" if schedule.batch_gpu * world.size < settings.batch else ""
    augment = {"noaug": "none", "fixed": f"fixed at {settings.augment.p:g}", "ada": "adaptive"}[settings.augment.mode]
    logger.info(
        f"{settings.variant} on {where}: batch {settings.batch}{rounds}, gamma {settings.loss.r1_gamma:g}, "
        f"augmentation {augment}, {schedule.total_kimg:g} kimg"
    )


def _say_end(plan: Plan, learner: Learner, stopped: int) -> None:
    kimg = f"{learner.nimg / 1000:g} kimg"
    if stopped:
        logger.info(f"stopped at {kimg}; the same command goes on, or --resume {plan.run.path}")
    else:
        logger.info(f"done, {kimg}: {plan.run.snapshot(learner.nimg / 1000)}")


@contextmanager
def _kept(plan: Plan, world: World) -> Iterator[None]:
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
