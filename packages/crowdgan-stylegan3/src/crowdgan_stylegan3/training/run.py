"""Training runs: start or resume one, and train it on each rank."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.run_folder import RunFolder, runs_in
from crowdgan_stylegan3.config import LabelEncoding
from crowdgan_stylegan3.training.checkpoints.training_state import Checkpoint, read_checkpoint, restore_trainer
from crowdgan_stylegan3.training.checkpoints.transfer import read_generator_config, read_weights, transfer_weights
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.config.schedule import ScheduleConfig
from crowdgan_stylegan3.training.config.training_config import TrainingConfig, diff_configs
from crowdgan_stylegan3.training.data.dataset import ImageDataset, TrainingData, load_batches
from crowdgan_stylegan3.training.data.label_sampling import (
    check_conditioning,
    default_vicinity,
    describe_conditioning,
)
from crowdgan_stylegan3.training.data.sampler import ImageSampler
from crowdgan_stylegan3.training.loop import Loop
from crowdgan_stylegan3.training.reporting.snapshot_metrics import SnapshotMetrics, truncate_metrics
from crowdgan_stylegan3.training.reporting.snapshots import SnapshotWriter
from crowdgan_stylegan3.training.run_writer import (
    create_run_folder,
    read_options,
    run_lock,
    truncate_stats,
    write_options,
)
from crowdgan_stylegan3.training.runtime.cudnn import cudnn_flags
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.runtime.torchrun import torchrun_world_size
from crowdgan_stylegan3.training.trainer import Networks, Trainer

logger = logging.getLogger("crowdgan_stylegan3.training")
"""Messages of a run, also written to its `log.txt`."""

RESTART_LOCK_TIMEOUT_S = 120.0
"""Time to wait for the lock of a run folder with torchrun, whose processes may restart on another machine.

An NFS server releases the lock of a lost machine after its lease time, 90 s by default on Linux.
"""


class FinishedRunError(ConfigError):
    """A run that has already been trained to the requested length."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A run that is ready to train."""

    folder: RunFolder
    options: TrainOptions
    config: TrainingConfig
    schedule: ScheduleConfig
    checkpoint: Path | None
    """The checkpoint from which the run is resumed; None for a new run."""

    @classmethod
    def start(
        cls,
        options: TrainOptions,
        config: TrainingConfig,
        *,
        outdir: Path,
        micro_batch: int,
        description: str | None = None,
        new: bool = False,
    ) -> TrainingRun:
        """The newest run in `outdir` with the same config, or a new one in a new folder.

        Args:
            options: options of the run.
            config: config of the run.
            outdir: parent of run folders.
            micro_batch: micro-batch size per rank.
            description: suffix of the name of a new folder.
            new: start a new run even if one could be resumed.

        Raises:
            FinishedRunError: the run has finished.
            DatasetError: the folder cannot be created.
        """
        folder = None if new else find_run(outdir, config, options)
        if folder is not None:
            return cls.resume(folder, options, _stored_config(folder) or config, micro_batch=micro_batch)
        folder = create_run_folder(outdir, config, description)
        return cls.resume(folder, options, config, micro_batch=micro_batch)

    @classmethod
    def resume(
        cls, folder: RunFolder, options: TrainOptions, config: TrainingConfig, *, micro_batch: int
    ) -> TrainingRun:
        """The run in a folder; it starts from its checkpoint, if there is one.

        A resumed run keeps its micro-batch size if the options allow it, since augmentations are drawn per micro-batch.

        Raises:
            FinishedRunError: the run has finished.
        """
        schedule = options.schedule(batch_gpu=micro_batch)
        checkpoint = folder.checkpoint_path if folder.checkpoint_path.exists() else None
        if checkpoint is not None:
            nimg = read_checkpoint(checkpoint).nimg
            if nimg >= schedule.total_img:
                raise FinishedRunError(
                    f"{folder.path}: this run finished at {nimg / 1000:g} kimg; "
                    "use a higher --kimg to continue, or --new to start another run"
                )
            stored = _stored_micro_batch(folder)
            if stored in options.micro_batch_candidates:
                schedule = replace(schedule, batch_gpu=stored)
        return cls(folder=folder, options=options, config=config, schedule=schedule, checkpoint=checkpoint)

    def train(self, data: TrainingData, context: DistributedContext, metrics: SnapshotMetrics | None = None) -> int:
        """Trains; returns the number of the signal that stopped the run, or 0 if it finished.

        Args:
            data: the dataset.
            context: the ranks.
            metrics: metrics of the snapshots, on the main rank; None for none.

        Raises:
            CheckpointError: a checkpoint or model that cannot be used.
            ConfigError: another process trains in the folder.
            TrainingError: a loss is not finite, with `--nan stop`.
        """
        with ExitStack() as stack, cudnn_flags(benchmark=self.schedule.benchmark):
            metrics = metrics or SnapshotMetrics()
            checkpoint = context.run_on_main(lambda: self._open(stack, data, context, metrics))
            trainer = self._create_trainer(data, context, checkpoint)
            snapshots = context.run_together(lambda: self._open_outputs(data, trainer, metrics, checkpoint))
            images = ImageDataset(data.path, len(data.reader))
            sampler = ImageSampler(
                labels=trainer.label_sampler,
                mirror=self.config.mirror,
                batch=self.config.batch,
                seed=self.config.seed,
                start_nimg=trainer.nimg,
                rank=context.rank,
                world_size=context.world_size,
            )
            clock = {} if checkpoint is None else checkpoint.clock
            loop = Loop(trainer, self.folder, self.schedule, snapshots, clock)
            workers = self.schedule.workers
            with load_batches(images, sampler, workers=workers, device=context.device) as batches:
                signal_number = loop.train(batches)
            self._log_end(trainer, signal_number)
            return signal_number

    def _open(
        self, stack: ExitStack, data: TrainingData, context: DistributedContext, metrics: SnapshotMetrics
    ) -> Checkpoint | None:
        """Locks the run folder, and logs the run; returns its checkpoint, if any. Called on the main rank.

        Raises:
            CheckpointError: the checkpoint is damaged.
            ConfigError: another process trains in the folder.
        """
        stack.enter_context(_lock_and_log(self.folder))
        write_options(
            self.folder,
            options=self.options.to_json(),
            training=self.config.to_json(),
            schedule=asdict(self.schedule),
        )
        self._log_start(data, context)
        logger.info(metrics.description)
        return None if self.checkpoint is None else read_checkpoint(self.checkpoint)

    def _create_trainer(
        self, data: TrainingData, context: DistributedContext, checkpoint: Checkpoint | None
    ) -> Trainer:
        networks = Networks.random(self.config)
        if checkpoint is None and self.config.source is not None:
            source = Path(self.config.source)
            context.run_on_main(lambda: _initialise_from(source, networks))  # the trainer sends the weights to all
        trainer = Trainer(
            self.config,
            networks,
            context,
            batch_gpu=self.schedule.batch_gpu,
            labels=data.labels,
        )
        if checkpoint is not None:
            restore_trainer(trainer, checkpoint)
        return trainer

    def _open_outputs(
        self, data: TrainingData, trainer: Trainer, metrics: SnapshotMetrics, checkpoint: Checkpoint | None
    ) -> SnapshotWriter | None:
        """The writer of snapshots, on the main rank; None on other ranks.

        Removes statistics after the checkpoint; for a new run, writes the initial sample grids.
        """
        if not trainer.context.is_main:
            return None
        snapshots = SnapshotWriter(self.folder, trainer, data.reader, data.labels, metrics)
        if checkpoint is None:
            self._truncate_outputs(-1)
            snapshots.write_initial()
        else:
            self._truncate_outputs(checkpoint.nimg)
            logger.info(f"resuming from {checkpoint.path.name} at {checkpoint.nimg / 1000:g} kimg")
        return snapshots

    def _truncate_outputs(self, nimg: int) -> None:
        """Removes statistics and metrics after `nimg` images."""
        truncate_stats(self.folder, nimg)
        truncate_metrics(self.folder, nimg)

    def _log_start(self, data: TrainingData, context: DistributedContext) -> None:
        config, schedule = self.config, self.schedule
        logger.info(f"run: {self.folder.path}")
        logger.info(f"data: {data.path}, {len(data.reader)} images of {data.resolution}x{data.resolution} px")
        logger.info(data.labels.describe())
        for line in describe_conditioning(data.labels, self.config.conditioning):
            logger.info(line)
        for name in data.labels.empty_classes():
            logger.warning(f"the class {name} has no images: the model will not learn it")
        device = context.device.type
        devices = f"{context.world_size} x {device}" if context.world_size > 1 else device
        has_micro_batches = schedule.batch_gpu * context.world_size < config.batch
        micro_batch = f", micro-batch {schedule.batch_gpu}" if has_micro_batches else ""
        augment = {"noaug": "none", "fixed": f"fixed at {config.augment.p:g}", "ada": "adaptive"}[config.augment.mode]
        logger.info(
            f"{config.variant} on {devices}: batch {config.batch}{micro_batch}, gamma {config.loss.r1_gamma:g}, "
            f"augmentation {augment}, {schedule.total_kimg:g} kimg"
        )

    def _log_end(self, trainer: Trainer, signal_number: int) -> None:
        kimg = f"{trainer.nimg / 1000:g} kimg"
        if signal_number:
            logger.info(f"stopped at {kimg}; resume with the same command, or --resume {self.folder.path}")
        else:
            logger.info(f"done, {kimg}: {self.folder.snapshot_path(trainer.nimg / 1000)}")


def config_for(options: TrainOptions, data: TrainingData, resumed: RunFolder | None = None) -> TrainingConfig:
    """The config of a run on a dataset.

    Args:
        options: options of the run.
        data: the dataset.
        resumed: the run that is resumed, if any.

    Raises:
        ConfigError: options that do not define networks, or that differ from the config of the resumed run.
    """
    config = resolve_config(
        options,
        resolution=data.resolution,
        label_dim=data.labels.dim,
        label_encoding=_label_encoding(options, data),
        vicinity=default_vicinity(data.labels),
    )
    check_conditioning(config.conditioning, data.labels)
    if resumed is not None:
        stored = replace(read_checkpoint(resumed.checkpoint_path).config, data=config.data)  # the data may have moved
        config = keep_automatic_values(config, stored, options)
        if changed := diff_configs(stored, config):
            raise ConfigError(f"{resumed.path}: a resumed run keeps its config; changed: {'; '.join(changed)}")
    return config


def _label_encoding(options: TrainOptions, data: TrainingData) -> LabelEncoding | None:
    """The encoding of the labels: that of the model from which training starts, if it is for as many numbers."""
    encoding = data.labels.encoding()
    if options.source is None or encoding is None:
        return encoding
    config = read_generator_config(options.source)
    inherited = None if config is None else config.label_encoding
    return inherited if inherited is not None and len(inherited.mean) == data.labels.dim else encoding


def keep_automatic_values(config: TrainingConfig, stored: TrainingConfig, options: TrainOptions) -> TrainingConfig:
    """The config with the stored values that no option names: runs of earlier versions may have others.

    Args:
        config: config from the options and the dataset.
        stored: config of a run in a folder.
        options: options of the run.
    """
    config = config.with_label_encoding(stored.generator.label_encoding)
    vicinity = stored.conditioning.vicinity if options.vicinity is None else config.conditioning.vicinity
    group_size = stored.conditioning.group_size
    return replace(config, conditioning=replace(config.conditioning, vicinity=vicinity, group_size=group_size))


def options_of(run: RunFolder, changed: Mapping[str, Any]) -> TrainOptions:
    """The options with which a run was started, with changes.

    Raises:
        ConfigError: the folder is not a run or has no checkpoint, or options contradict one another.
    """
    if not run.checkpoint_path.exists():
        raise ConfigError(f"{run.path}: no {run.checkpoint_path.name}; there is nothing to resume")
    return TrainOptions.from_json(read_options(run)["options"], changed)


def find_run(outdir: Path, config: TrainingConfig, options: TrainOptions) -> RunFolder | None:
    """The newest run in a folder with a config, apart from values that no option names; None if there is none.

    Args:
        outdir: parent of run folders.
        config: config from the options and the dataset.
        options: options of the run.
    """
    for folder in runs_in(outdir):
        stored = _stored_config(folder)
        if stored is not None and stored == keep_automatic_values(config, stored, options):
            return folder
    return None


def check_newest(run: RunFolder | None, context: DistributedContext) -> None:
    """Checks that no rank has a later checkpoint of a run than the main rank, from which training continues.

    Without a shared file system, ranks may have different files.

    Args:
        run: the run folder that this rank has, if any.
        context: the ranks.

    Raises:
        CheckpointError: a rank has a later checkpoint; or one is damaged.
    """

    def read_nimg() -> int:
        return 0 if run is None or not run.checkpoint_path.exists() else read_checkpoint(run.checkpoint_path).nimg

    nimg = context.run_together(read_nimg)
    main_nimg = context.all_gather(nimg)[0]

    def check() -> None:
        if run is not None and nimg > main_nimg:
            raise CheckpointError(
                f"{run.checkpoint_path} has {nimg / 1000:g} kimg; rank 0 has {main_nimg / 1000:g} kimg of this run; "
                "use an --outdir that all machines share, or copy the run folder to the machine of rank 0"
            )

    context.run_together(check)


def _stored_micro_batch(run: RunFolder) -> int:
    """Micro-batch size of a run; 0 if unknown."""
    schedule = read_options(run).get("schedule", {})
    return int(schedule.get("batch_gpu", 0)) if isinstance(schedule, dict) else 0


def _stored_config(run: RunFolder) -> TrainingConfig | None:
    """Config of a run; None for other folders and for runs of another version."""
    try:
        return TrainingConfig.from_json(read_options(run)["training"])
    except ConfigError:
        return None


def _initialise_from(source: Path, networks: Networks) -> None:
    """Copies the weights of a model.

    Raises:
        CheckpointError: no layer of its generator fits.
    """
    reports = transfer_weights(read_weights(source), networks)
    for report in reports:
        logger.info(report.describe())
    if not reports[0].num_copied:
        raise CheckpointError(f"{source}: no layer of its generator fits; is it of another --cfg, or not a generator?")


@contextmanager
def _lock_and_log(folder: RunFolder) -> Iterator[None]:
    """Context in which this process holds the lock of the folder and writes messages to `log.txt`.

    Raises:
        ConfigError: another process trains in the folder.
    """
    level = logger.level
    with run_lock(folder, timeout_s=0 if torchrun_world_size() is None else RESTART_LOCK_TIMEOUT_S):
        handler = logging.FileHandler(folder.log_path, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        except Exception as error:
            handler.handle(logger.makeRecord(logger.name, logging.ERROR, __file__, 0, str(error), (), None))
            raise
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)
            handler.close()
