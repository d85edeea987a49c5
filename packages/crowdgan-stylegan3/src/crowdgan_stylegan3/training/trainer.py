"""The trainer: generator, discriminator, and one training step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from crowdgan_stylegan3.config import StyleGan2Config
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyleGan2Synthesis
from crowdgan_stylegan3.training.augment import AugmentPipe, augment_preset
from crowdgan_stylegan3.training.augment.ada import IMAGES_PER_KIMG, AdaptiveProbability
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.dataset import Batch
from crowdgan_stylegan3.training.data.label_sampling import create_label_sampler
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.ema import GeneratorStatistics, ema_decay, update_ema
from crowdgan_stylegan3.training.losses import (
    combine_heads,
    gaussian_blur,
    gradient_penalty,
    logistic_loss_fake,
    logistic_loss_real,
    mix_styles,
    path_lengths,
)
from crowdgan_stylegan3.training.optimizers import gradients_of, lazy_adam, step_if_finite, trainable
from crowdgan_stylegan3.training.reporting.stats import Statistics
from crowdgan_stylegan3.training.reporting.timers import PhaseTimer
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.runtime.rng import RngStream, rng_stream
from crowdgan_stylegan3.training.runtime.transfers import to_device

PATH_LENGTH_BATCH_DIVISOR = 2
"""The path length penalty uses 1 / 2 of the images of a micro-batch (Karras et al. 2020)."""


@dataclass(frozen=True)
class Networks:
    """The networks of a run."""

    generator: Generator
    discriminator: Discriminator
    generator_ema: Generator
    """The EMA generator, used for images and snapshots."""

    @classmethod
    def random(cls, config: TrainingConfig) -> Networks:
        """Networks with random weights from the run's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(rng_stream(config.seed, RngStream.WEIGHTS).initial_seed())
            generator = Generator(config.generator).train()
            discriminator = Discriminator(config.discriminator).train()
        return cls(generator, discriminator, copy.deepcopy(generator).eval().requires_grad_(False))


@dataclass(frozen=True, kw_only=True, repr=False)
class MicroBatch:
    """The images that one rank processes at a time: a slice of the batch."""

    number: int
    """Index over all updates of the step, micro-batches and ranks; selects random number streams."""
    real: Tensor
    """Real images `[N, C, H, W]` in -1 to 1."""
    real_labels: Tensor
    """Labels for which D judges the real images `[N, label_dim]`."""
    z: Tensor
    """Latents `[N, z_dim]` of the images to generate."""
    labels: Tensor
    """Labels of the images to generate `[N, label_dim]`."""
    judged_labels: Tensor
    """Labels for which D judges the generated images `[N, label_dim]`."""


class Trainer:
    """Networks and optimizers; a step depends only on their state, the run's seed and the batch."""

    def __init__(
        self,
        config: TrainingConfig,
        networks: Networks,
        context: DistributedContext,
        *,
        batch_gpu: int,
        labels: TrainingLabels,
    ) -> None:
        """Prepares training.

        Args:
            config: config of the run.
            networks: networks to train; moved to the device of `context`.
            context: the ranks that train together.
            batch_gpu: micro-batch size; a divisor of the rank's part of the batch.
            labels: labels of the dataset, from which labels of generated images are drawn.
        """
        self.config, self.context, self.classes = config, context, labels.classes
        self.generator = networks.generator.to(context.device)
        self.discriminator = networks.discriminator.to(context.device)
        self.generator_ema = networks.generator_ema.to(context.device)
        self.nimg = 0
        self.step_count = 0
        self.path_length_mean = torch.zeros((), device=context.device)
        self.augmentation = AugmentPipe(augment_preset("bgc")).to(context.device)
        self.ada = AdaptiveProbability(config.augment, config.batch)
        self.generator_statistics = GeneratorStatistics(self.generator)
        self.statistics = Statistics()
        self.timer = PhaseTimer(context.device)
        self.update_intervals = _update_intervals(config)
        g_interval, d_interval = self.update_intervals.get("Greg"), self.update_intervals.get("Dreg")
        self.g_optimizer = lazy_adam(self.generator, config.optimizer.generator_lr, config.optimizer, g_interval)
        self.d_optimizer = lazy_adam(
            self.discriminator, config.optimizer.discriminator_lr, config.optimizer, d_interval
        )
        self.label_sampler = create_label_sampler(labels, config.conditioning)
        self._num_micro_batches = config.batch // context.world_size // batch_gpu
        assert self._num_micro_batches * context.world_size * batch_gpu == config.batch, (
            "batch sizes divide one another"
        )
        for network in (self.generator, self.discriminator, self.generator_ema):
            context.broadcast(network.state_dict().values())
            network.requires_grad_(False)

    def step(self, batch: Batch) -> None:
        """One training step on this rank's part of the batch, without waiting for the device."""
        images, labels = (to_device(part, self.context.device) for part in batch)
        self.generator.mapping.set_label_weight(self.label_weight)
        real = images.float() / 127.5 - 1
        self._update("Gmain", self.g_optimizer, self._generator_loss, real, labels)
        self._update("Greg", self.g_optimizer, self._path_length_loss, real, labels)
        self._update("Dmain", self.d_optimizer, self._discriminator_losses, real, labels)
        self._update("Dreg", self.d_optimizer, self._gradient_penalty, real, labels)
        self.generator_statistics.update(self.context)
        ema = self.config.ema
        decay = ema_decay(self.nimg, self.config.batch, ema.half_life_kimg, ema.rampup)
        update_ema(self.generator_ema, self.generator, decay)
        self.ada.update(self.step_count, self.context)
        self.step_count += 1
        self.nimg += self.config.batch

    @property
    def blur_sigma_px(self) -> float:
        """Standard deviation of the Gaussian blur of D's input; decreases linearly to 0."""
        loss = self.config.loss
        if not loss.blur_sigma_px:
            return 0.0
        return loss.blur_sigma_px * max(1 - self.nimg / (loss.blur_fade_kimg * IMAGES_PER_KIMG), 0.0)

    @property
    def label_weight(self) -> float:
        """Influence λ of the labels, 0 to 1."""
        return self.config.conditioning.label_weight(self.nimg)

    def _update(
        self,
        name: str,
        optimizer: torch.optim.Adam,
        losses: Callable[[MicroBatch], Iterable[Tensor]],
        real: Tensor,
        labels: Tensor,
    ) -> None:
        """One update by the gradients of losses over all micro-batches; regularisation only every `interval` steps.

        Losses of a regularisation are weighted by its interval. Each loss is backpropagated before the next one is
        computed, so only one graph is in memory.
        """
        interval = self.update_intervals.get(name)
        if interval is None or self.step_count % interval:
            return
        with self.timer.measure(name):
            with trainable(optimizer):
                for micro_batch in self._micro_batches(name, real, labels):
                    for loss in losses(micro_batch):
                        torch.autograd.backward(loss * (interval / self._num_micro_batches))
            self.context.all_reduce_mean(gradients_of(optimizer))
            skipped = step_if_finite(optimizer)
        self.statistics.report("Progress/skipped", skipped / self.context.world_size)  # equal on all ranks

    def _micro_batches(self, name: str, real: Tensor, labels: Tensor) -> Iterator[MicroBatch]:
        """The micro-batches of an update: each rank and micro-batch takes every n-th image of the full batch.

        The groups of the minibatch standard deviation, the latents and the labels therefore do not depend on the
        division of the batch. Augmentations and noise are drawn per micro-batch.
        """
        update = list(self.update_intervals).index(name)
        random = rng_stream(self.config.seed, RngStream.PHASE, self.nimg, update)
        z = torch.randn(self.config.batch, self.config.generator.z_dim, generator=random)
        if name.startswith("D"):
            sampled_labels, judged_labels = self.label_sampler.draw_label_pairs(self.config.batch, random)
        else:
            sampled_labels = judged_labels = self.label_sampler.draw_labels(self.config.batch, random)
        count = self._num_micro_batches * self.context.world_size
        for index in range(self._num_micro_batches):
            number = index * self.context.world_size + self.context.rank
            yield MicroBatch(
                number=update * count + number,
                real=real[index :: self._num_micro_batches],
                real_labels=labels[index :: self._num_micro_batches],
                z=to_device(z[number::count], self.context.device),
                labels=to_device(sampled_labels[number::count], self.context.device),
                judged_labels=to_device(judged_labels[number::count], self.context.device),
            )

    def _generator_loss(self, micro_batch: MicroBatch) -> Iterator[Tensor]:
        """G's loss: softplus(-D(G(z))), the non-saturating logistic loss."""
        images, _ = self._synthesize(micro_batch, micro_batch.z, micro_batch.labels)
        logits = self._discriminate(images, micro_batch.judged_labels, micro_batch)
        self._report_scores("fake", logits, micro_batch.judged_labels)
        loss = combine_heads(logistic_loss_real(logits), self.label_weight)
        self.statistics.report("Loss/G/loss", loss)
        yield loss.mean()

    def _path_length_loss(self, micro_batch: MicroBatch) -> Iterator[Tensor]:
        """Weight · E[(‖Jᵀy‖ - a)²], the path length penalty; a is the moving average of path lengths."""
        size = max(len(micro_batch.z) // PATH_LENGTH_BATCH_DIVISOR, 1)
        images, ws = self._synthesize(micro_batch, micro_batch.z[:size], micro_batch.labels[:size])
        random = self._random(RngStream.PATH_LENGTH, micro_batch, on_device=True)
        noise = torch.randn(images.shape, generator=random, device=images.device)
        lengths = path_lengths(images, ws, noise)
        mean = self.context.all_reduce_sum(lengths.detach().mean()) / self.context.world_size
        mean = torch.where(mean.isfinite(), mean, self.path_length_mean)
        decay = self.config.loss.path_length_decay / self._num_micro_batches
        self.path_length_mean = self.path_length_mean.lerp(mean, decay)
        penalty = (lengths - self.path_length_mean).square()
        self.statistics.report("Loss/pl_penalty", penalty)
        loss = penalty * self.config.loss.path_length_weight
        self.statistics.report("Loss/G/reg", loss)
        yield loss.mean()

    def _discriminator_losses(self, micro_batch: MicroBatch) -> Iterator[Tensor]:
        """D's loss on generated images, softplus(D(G(z))), then on real images, softplus(-D(x))."""
        random = self._random(RngStream.AUGMENTATION, micro_batch)
        with self.generator_statistics.record():
            images, _ = self._synthesize(micro_batch, micro_batch.z, micro_batch.labels)
        logits = self._discriminate(images, micro_batch.judged_labels, micro_batch, random)
        self._report_scores("fake", logits, micro_batch.judged_labels)
        loss_fake = combine_heads(logistic_loss_fake(logits), self.label_weight)
        yield loss_fake.mean()
        logits = self._discriminate(micro_batch.real, micro_batch.real_labels, micro_batch, random)
        self._report_scores("real", logits, micro_batch.real_labels)
        self.ada.observe(self._scores(logits))
        loss_real = combine_heads(logistic_loss_real(logits), self.label_weight)
        self.statistics.report("Loss/D/loss", loss_fake.detach() + loss_real)
        yield loss_real.mean()

    def _gradient_penalty(self, micro_batch: MicroBatch) -> Iterator[Tensor]:
        """γ/2 · E[‖∇D(x)‖²], the R1 penalty."""
        images = micro_batch.real.detach().requires_grad_(True)
        logits = self._discriminate(images, micro_batch.real_labels, micro_batch)
        penalty = gradient_penalty(self._scores(logits), images)
        self.statistics.report("Loss/r1_penalty", penalty)
        loss = penalty * (self.config.loss.r1_gamma / 2)
        self.statistics.report("Loss/D/reg", loss)
        yield loss.mean()

    def _synthesize(self, micro_batch: MicroBatch, z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images and their `ws`; for StyleGAN2 with style mixing and random noise."""
        mapping, synthesis = self.generator.mapping, self.generator.synthesis
        ws = mapping(z, labels)
        if not isinstance(synthesis, StyleGan2Synthesis):
            return synthesis(ws), ws
        if self.config.loss.style_mixing:
            ws = self._mix_styles(micro_batch, ws, labels)
        return synthesis(ws, noise=self._random(RngStream.NOISE, micro_batch, on_device=True)), ws

    def _mix_styles(self, micro_batch: MicroBatch, ws: Tensor, labels: Tensor) -> Tensor:
        """`ws` that change to those of other latents at a random layer, for a random part of the images."""
        assert isinstance(self.config.generator, StyleGan2Config)
        random = self._random(RngStream.MIXING, micro_batch)
        num_ws, count = ws.shape[1], len(ws)
        other_z = torch.randn(count, self.config.generator.z_dim, generator=random)
        crossover = torch.randint(1, num_ws, (count,), generator=random)
        unmixed = torch.rand(count, generator=random) >= self.config.loss.style_mixing
        crossover[unmixed] = num_ws
        other_ws = self.generator.mapping(to_device(other_z, ws.device), labels)
        return mix_styles(ws, other_ws, to_device(crossover, ws.device))

    def _discriminate(
        self, images: Tensor, labels: Tensor, micro_batch: MicroBatch, random: torch.Generator | None = None
    ) -> Tensor:
        """Logits of D for images after blur and augmentation."""
        images = gaussian_blur(images, self.blur_sigma_px)
        if self.config.augment.mode != "noaug":
            self.augmentation.p = self.ada.p
            random = random or self._random(RngStream.AUGMENTATION, micro_batch)
            images = self.augmentation(images, generator=random)
        logits: Tensor = self.discriminator(images, labels)
        return logits

    def _scores(self, logits: Tensor) -> Tensor:
        """Logits `[N, 1]`: of two heads, their mean weighted by the influence of the labels."""
        return combine_heads(logits, self.label_weight) / (1 if logits.shape[1] == 1 else 1 + self.label_weight)

    def _report_scores(self, name: str, logits: Tensor, labels: Tensor) -> None:
        logits = self._scores(logits)
        self.statistics.report(f"Loss/scores/{name}", logits)
        self.statistics.report(f"Loss/signs/{name}", logits.detach().sign())
        if self.classes:
            self.statistics.report_per_class(f"Loss/scores/{name}", self.classes, logits, labels)

    def _random(self, stream: RngStream, micro_batch: MicroBatch, *, on_device: bool = False) -> torch.Generator:
        device = self.context.device if on_device else "cpu"
        return rng_stream(self.config.seed, stream, self.nimg, micro_batch.number, device=device)


def _update_intervals(config: TrainingConfig) -> dict[str, int]:
    """Training steps between updates, by the name of the update, in the order of a step."""
    loss = config.loss
    intervals = {
        "Gmain": 1,
        "Greg": loss.path_length_interval if loss.path_length_weight else None,
        "Dmain": 1,
        "Dreg": loss.r1_interval if loss.r1_gamma else None,
    }
    return {name: interval for name, interval in intervals.items() if interval is not None}
