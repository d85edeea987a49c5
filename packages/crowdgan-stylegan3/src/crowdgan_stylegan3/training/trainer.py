"""What learns: generator, discriminator, and one step of training them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
from crowdgan_stylegan3.training.ema import GeneratorStatistics, ema_decay, update_ema
from crowdgan_stylegan3.training.losses import (
    gaussian_blur,
    logistic_loss_fake,
    logistic_loss_real,
    mix_styles,
    path_lengths,
    r1_penalty,
)
from crowdgan_stylegan3.training.optimizers import MicroBatch, Phase, lazy_adam
from crowdgan_stylegan3.training.reporting.stats import Statistics
from crowdgan_stylegan3.training.reporting.timers import PhaseTimer
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.runtime.rng import RngStream, rng_stream

PATH_LENGTH_SHARE = 2
"""The path length penalty takes one in so many images of a batch (Karras et al. 2020)."""


@dataclass(frozen=True)
class Networks:
    """The networks of a run."""

    generator: Generator
    discriminator: Discriminator
    generator_ema: Generator
    """The generator with averaged weights, for use."""

    @classmethod
    def random(cls, settings: TrainingConfig) -> Networks:
        """Networks with random weights, by the run's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(rng_stream(settings.seed, RngStream.WEIGHTS).initial_seed())
            generator = Generator(settings.generator).train()
            discriminator = Discriminator(settings.discriminator).train()
        return cls(generator, discriminator, copy.deepcopy(generator).eval().requires_grad_(False))


class Trainer:
    """Networks and optimisers, and how a step changes them: a function of their state and the step's images alone."""

    def __init__(
        self,
        settings: TrainingConfig,
        networks: Networks,
        world: DistributedContext,
        *,
        batch_gpu: int,
        labels: npt.NDArray[np.float32],
        classes: Sequence[str],
    ) -> None:
        """Prepares training.

        Args:
            settings: of the run.
            networks: what is trained; moved to the device of `world`.
            world: the processes that train together.
            batch_gpu: images that a process takes at once; a divisor of its share of the batch.
            labels: `[num_images, label_dim]` of the dataset, which labels of generated images are drawn from.
            classes: names of the classes, for statistics; empty for labels that are none.
        """
        self.settings, self.world, self.classes = settings, world, tuple(classes)
        self.generator = networks.generator.to(world.device)
        self.discriminator = networks.discriminator.to(world.device)
        self.generator_ema = networks.generator_ema.to(world.device)
        self.nimg = 0
        self.step_count = 0
        self.path_length_mean = torch.zeros((), device=world.device)
        self.augmentation = AugmentPipe(augment_preset("bgc")).to(world.device)
        self.ada = AdaptiveProbability(settings.augment, settings.batch)
        self.statistics = Statistics()
        self.stopwatch = PhaseTimer(world.device)
        self._labels = torch.from_numpy(labels)
        self._rounds = settings.batch // world.size // batch_gpu
        assert self._rounds * world.size * batch_gpu == settings.batch, "the choices' batches divide into one another"
        self._means = GeneratorStatistics(self.generator)
        self.phases = self._phases()
        for network in (self.generator, self.discriminator, self.generator_ema):
            world.share(network.state_dict().values())
            network.requires_grad_(False)

    def step(self, batch: Batch) -> None:
        """One step on this process's share of the real images; waits for no device."""
        images, labels = (_sent(part, self.world.device) for part in batch)
        real = images.float() / 127.5 - 1
        count = self._rounds * self.world.size
        for index, phase in enumerate(self.phases):
            if self.step_count % phase.interval:
                continue
            with self.stopwatch.measuring(phase.name):
                overflow = phase.take_turn(self._divided(index, real, labels), count, self.world)
            self.statistics.report("Progress/skipped", overflow / self.world.size)  # all processes agree on it
        self._means.end_step(self.world)
        self._average()
        self.ada.end_step(self.step_count, self.world)
        self.step_count += 1
        self.nimg += self.settings.batch

    @property
    def blur_sigma_px(self) -> float:
        """Standard deviation of the blur that D sees images through."""
        loss = self.settings.loss
        if not loss.blur_sigma_px:
            return 0.0
        return loss.blur_sigma_px * max(1 - self.nimg / (loss.blur_fade_kimg * IMAGES_PER_KIMG), 0.0)

    def _phases(self) -> list[Phase]:
        """The turns of a step, in order."""
        loss, how = self.settings.loss, self.settings.optimiser
        path_interval = loss.path_length_interval if loss.path_length_weight else None
        r1_interval = loss.r1_interval if loss.r1_gamma else None
        of_generator = lazy_adam(self.generator, how.generator_lr, how, path_interval)
        of_discriminator = lazy_adam(self.discriminator, how.discriminator_lr, how, r1_interval)
        turns = [
            ("Gmain", self.generator, of_generator, 1, self._generator_loss),
            ("Greg", self.generator, of_generator, path_interval, self._path_length_penalty),
            ("Dmain", self.discriminator, of_discriminator, 1, self._discriminator_losses),
            ("Dreg", self.discriminator, of_discriminator, r1_interval, self._r1_penalty),
        ]
        return [
            Phase(name=name, network=network, optimiser=optimiser, interval=interval, losses=losses)
            for name, network, optimiser, interval, losses in turns
            if interval is not None
        ]

    def _divided(self, phase: int, real: Tensor, labels: Tensor) -> Iterator[MicroBatch]:
        """The rounds of a phase: round and process take every so-manieth image of the whole batch.

        So the groups over which D takes standard deviations, and latents and labels, are the same however the batch is
        divided; augmentations and noise are drawn per round.
        """
        random = rng_stream(self.settings.seed, RngStream.PHASE, self.nimg, phase)
        z = torch.randn(self.settings.batch, self.settings.generator.z_dim, generator=random)
        chosen = self._labels[torch.randint(len(self._labels), (self.settings.batch,), generator=random)]
        count = self._rounds * self.world.size
        for own in range(self._rounds):
            number = own * self.world.size + self.world.rank
            yield MicroBatch(
                number=phase * count + number,
                real=real[own :: self._rounds],
                real_labels=labels[own :: self._rounds],
                z=_sent(z[number::count], self.world.device),
                labels=_sent(chosen[number::count], self.world.device),
            )

    def _generator_loss(self, some: MicroBatch) -> Iterator[Tensor]:
        images, _ = self._generated(some, some.z, some.labels)
        logits = self._judged(images, some.labels, some)
        self._report_scores("fake", logits, some.labels)
        loss = logistic_loss_real(logits)
        self.statistics.report("Loss/G/loss", loss)
        yield loss.mean()

    def _path_length_penalty(self, some: MicroBatch) -> Iterator[Tensor]:
        """The squared distance of path lengths from their running mean (Karras et al. 2020)."""
        share = max(len(some.z) // PATH_LENGTH_SHARE, 1)
        images, ws = self._generated(some, some.z[:share], some.labels[:share])
        random = self._random(RngStream.PATH_LENGTH, some, on_device=True)
        noise = torch.randn(images.shape, generator=random, device=images.device)
        lengths = path_lengths(images, ws, noise)
        mean = self.world.add_up(lengths.detach().mean()) / self.world.size
        mean = torch.where(mean.isfinite(), mean, self.path_length_mean)
        decay = self.settings.loss.path_length_decay / self._rounds
        self.path_length_mean = self.path_length_mean.lerp(mean, decay)
        penalty = (lengths - self.path_length_mean).square()
        self.statistics.report("Loss/pl_penalty", penalty)
        loss = penalty * self.settings.loss.path_length_weight
        self.statistics.report("Loss/G/reg", loss)
        yield loss.mean()

    def _discriminator_losses(self, some: MicroBatch) -> Iterator[Tensor]:
        with self._means.collecting():
            images, _ = self._generated(some, some.z, some.labels)
        random = self._random(RngStream.AUGMENTATION, some)
        logits = self._judged(images, some.labels, some, random)
        self._report_scores("fake", logits, some.labels)
        of_fake = logistic_loss_fake(logits)
        yield of_fake.mean()
        logits = self._judged(some.real, some.real_labels, some, random)
        self._report_scores("real", logits, some.real_labels)
        self.ada.observe(logits)
        of_real = logistic_loss_real(logits)
        self.statistics.report("Loss/D/loss", of_fake.detach() + of_real)
        yield of_real.mean()

    def _r1_penalty(self, some: MicroBatch) -> Iterator[Tensor]:
        real = some.real.detach().requires_grad_(True)
        penalty = r1_penalty(self._judged(real, some.real_labels, some), real)
        self.statistics.report("Loss/r1_penalty", penalty)
        loss = penalty * (self.settings.loss.r1_gamma / 2)
        self.statistics.report("Loss/D/reg", loss)
        yield loss.mean()

    def _generated(self, some: MicroBatch, z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images and the `ws` that they were made of; for StyleGAN2 with mixed styles and random noise."""
        mapping, synthesis = self.generator.mapping, self.generator.synthesis
        ws = mapping(z, labels)
        if not isinstance(synthesis, StyleGan2Synthesis):
            return synthesis(ws), ws
        if self.settings.loss.style_mixing:
            ws = self._mixed(some, ws, labels)
        return synthesis(ws, noise=self._random(RngStream.NOISE, some, on_device=True)), ws

    def _mixed(self, some: MicroBatch, ws: Tensor, labels: Tensor) -> Tensor:
        """`ws` that change to those of other latents at a random layer, for a share of the images."""
        assert isinstance(self.settings.generator, StyleGan2Config)
        random = self._random(RngStream.MIXING, some)
        num_ws, count = ws.shape[1], len(ws)
        others = torch.randn(count, self.settings.generator.z_dim, generator=random)
        crossover = torch.randint(1, num_ws, (count,), generator=random)
        kept = torch.rand(count, generator=random) >= self.settings.loss.style_mixing
        crossover[kept] = num_ws
        second = self.generator.mapping(_sent(others, ws.device), labels)
        return mix_styles(ws, second, _sent(crossover, ws.device))

    def _judged(
        self, images: Tensor, labels: Tensor, some: MicroBatch, random: torch.Generator | None = None
    ) -> Tensor:
        """D's logits of images as it sees them: blurred, and augmented."""
        images = gaussian_blur(images, self.blur_sigma_px)
        if self.settings.augment.mode != "noaug":
            self.augmentation.p = self.ada.p
            images = self.augmentation(images, generator=random or self._random(RngStream.AUGMENTATION, some))
        logits: Tensor = self.discriminator(images, labels)
        return logits

    def _report_scores(self, kind: str, logits: Tensor, labels: Tensor) -> None:
        self.statistics.report(f"Loss/scores/{kind}", logits)
        self.statistics.report(f"Loss/signs/{kind}", logits.detach().sign())
        if self.classes:
            self.statistics.report_per_class(f"Loss/scores/{kind}", self.classes, logits, labels)

    def _random(self, place: RngStream, some: MicroBatch, *, on_device: bool = False) -> torch.Generator:
        device = self.world.device if on_device else "cpu"
        return rng_stream(self.settings.seed, place, self.nimg, some.number, device=device)

    def _average(self) -> None:
        ema = self.settings.ema
        decay = ema_decay(self.nimg, self.settings.batch, ema.half_life_kimg, ema.rampup)
        update_ema(self.generator_ema, self.generator, decay)


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; to a GPU without waiting."""
    if device.type != "cuda" or tensor.device.type == "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
