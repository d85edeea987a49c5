"""One step of training: what it changes, that it repeats, and that it does not depend on how a batch is divided."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crowdgan_stylegan3.networks.discriminator import Conv
from crowdgan_stylegan3.networks.synthesis_stylegan3 import AliasFreeLayer, StyleGan3Synthesis
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.ema import GeneratorStatistics, ema_decay, update_ema
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASSES, SIDE_PX, small_config

LABELS = np.eye(3, dtype=np.float32)[np.arange(24) % 3]


def learner(settings: TrainingConfig, batch_gpu: int | None = None, networks: Networks | None = None) -> Trainer:
    label_dim = settings.generator.label_dim
    return Trainer(
        settings,
        networks or Networks.random(settings),
        DistributedContext(),
        batch_gpu=batch_gpu or settings.batch,
        labels=LABELS[:, :label_dim],
        classes=CLASSES[:label_dim],
    )


def batch(settings: TrainingConfig, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (settings.batch, 3, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=random)
    return images, torch.from_numpy(LABELS[: settings.batch, : settings.generator.label_dim])


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r", "stylegan2"])
@pytest.mark.parametrize("label_dim", [0, 3])
def test_a_step_changes_what_is_trained_and_reports_how(variant: str, label_dim: int) -> None:
    settings = small_config(label_dim, variant=variant)
    own = learner(settings)
    before = weights(own.generator), weights(own.discriminator), weights(own.generator_ema)
    own.step(batch(settings))
    trained = [name for name, _ in own.generator.named_parameters()]
    assert changed(before[0], weights(own.generator)) >= set(trained)
    assert changed(before[1], weights(own.discriminator)) >= {name for name, _ in own.discriminator.named_parameters()}
    assert changed(before[2], weights(own.generator_ema)) >= set(trained)
    found = own.statistics.collect(own.context)
    names = {"Loss/G/loss", "Loss/D/loss", "Loss/scores/real", "Loss/scores/fake", "Loss/signs/real", "Loss/r1_penalty"}
    names |= {f"Loss/scores/real/{name}" for name in CLASSES[:label_dim]}
    names |= {"Loss/pl_penalty", "Loss/G/reg"} if variant == "stylegan2" else set()
    assert names <= found.keys()
    assert found["Progress/skipped"].mean == 0
    assert (own.nimg, own.step_count) == (4, 1)


def test_phases_take_their_turns_at_their_intervals() -> None:
    settings = small_config(variant="stylegan2")
    own = learner(settings)
    counts: dict[str, int] = {}
    for _ in range(17):
        own.step(batch(settings))
        for name, times in own.timer.collect_ms().items():
            counts[name] = counts.get(name, 0) + len(times)
    assert counts == {"Gmain": 17, "Greg": 5, "Dmain": 17, "Dreg": 2}


def test_without_r1_there_is_no_turn_for_it() -> None:
    assert list(learner(small_config(r1_gamma=0.0)).update_intervals) == ["Gmain", "Dmain"]


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_steps_repeat_exactly(variant: str) -> None:
    settings = small_config(variant=variant, augment="fixed", augment_p=0.5)
    results = []
    for _ in range(2):
        own = learner(settings)
        for seed in range(2):
            torch.manual_seed(torch.seed())  # what others draw does not matter
            own.step(batch(settings, seed))
        results.append(weights(own.generator) | weights(own.discriminator))
    assert changed(*results) == set()


def test_a_step_leaves_the_global_random_state_as_it_was() -> None:
    settings = small_config(variant="stylegan2")
    before = torch.get_rng_state()
    own = learner(settings)
    own.step(batch(settings))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r"])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_gradients_do_not_depend_on_how_many_images_are_taken_at_once(variant: str, gamma: float) -> None:
    """Groups of the standard deviation, latents and running means are those of the whole batch."""
    settings = small_config(variant=variant, batch=8, augment="noaug", group_size=4, r1_gamma=gamma)
    settings = replace(settings, optimizer=replace(settings.optimizer, generator_lr=1e-12, discriminator_lr=1e-12))
    networks = Networks.random(settings)
    whole, divided = learner(settings, 8, copy.deepcopy(networks)), learner(settings, 4, copy.deepcopy(networks))
    for own in (whole, divided):
        own.step(batch(settings))
    for first, second in ((whole.generator, divided.generator), (whole.discriminator, divided.discriminator)):
        gradients = {name: parameter.grad for name, parameter in first.named_parameters() if parameter.grad is not None}
        others = {name: parameter.grad for name, parameter in second.named_parameters() if parameter.grad is not None}
        assert len(gradients) > 5
        assert gradients.keys() == others.keys()
        for name, gradient in gradients.items():
            scale = float(gradient.abs().max())
            assert torch.allclose(gradient, others[name], rtol=1e-4, atol=1e-4 * scale), name
    for name, tensor in whole.generator.named_buffers():
        assert torch.allclose(tensor, dict(divided.generator.named_buffers())[name], rtol=1e-5), name


def test_a_image_that_is_no_number_changes_nothing_and_is_counted() -> None:
    settings = small_config(augment="noaug")
    own = learner(settings)
    own.step(batch(settings))
    own.statistics.collect(own.context)
    parameters = dict(own.discriminator.named_parameters())
    name, poisoned = next(iter(parameters.items()))
    kept = poisoned.detach().clone()
    moments = copy.deepcopy(own.d_optimizer.state_dict())
    with torch.no_grad():
        poisoned.view(-1)[0] = float("nan")
    before = weights(own.generator), weights(own.discriminator)
    own.step(batch(settings))
    found = own.statistics.collect(own.context)
    assert found["Progress/skipped"].mean == 1
    assert found["Loss/D/loss"].nonfinite > 0
    means = {"mapping.w_avg"} | {name for name in before[0] if name.endswith("magnitude_ema")}
    assert changed(before[0], weights(own.generator)) <= means
    with torch.no_grad():
        poisoned.copy_(kept)
    after = weights(own.discriminator)
    assert changed({**before[1], name: kept}, after) == set()
    state = own.d_optimizer.state_dict()
    assert all(
        torch.equal(value, state["state"][number][key])
        for number, moment in moments["state"].items()
        for key, value in moment.items()
    )


def test_frozen_layers_stay_as_they_are() -> None:
    settings = small_config(num_frozen=2, source=Path("a.pkl"))
    own = learner(settings)
    before = weights(own.discriminator)
    own.step(batch(settings))
    same = before.keys() - changed(before, weights(own.discriminator))
    convs = [name for name, module in own.discriminator.named_modules() if isinstance(module, Conv)]
    assert {f"{name}.weight" for name in convs[:2]} <= same
    assert f"{convs[2]}.weight" not in same


def test_the_blur_fades() -> None:
    settings = small_config(variant="stylegan3-r", batch=4)
    own = learner(settings)
    assert own.blur_sigma_px == 10
    own.nimg = 12_500  # half of the 25 kimg for a batch of 4
    assert own.blur_sigma_px == pytest.approx(5)
    own.nimg = 30_000
    assert own.blur_sigma_px == 0


def test_labels_of_generated_images_are_drawn_from_those_of_the_dataset() -> None:
    settings = small_config(batch=24)
    own = Trainer(
        settings,
        Networks.random(settings),
        DistributedContext(),
        batch_gpu=24,
        labels=LABELS[[1, 1, 2]],
        classes=CLASSES,
    )
    own.step(batch(settings))
    found = own.statistics.collect(own.context)
    assert found["Loss/scores/fake/sparse"].num == 0
    assert found["Loss/scores/fake/medium"].num > found["Loss/scores/fake/dense"].num > 0


def test_running_means_take_in_a_step_as_the_networks_do() -> None:
    settings = small_config()
    generator = Networks.random(settings).generator
    other = copy.deepcopy(generator)
    z, c = torch.randn(6, settings.generator.z_dim), torch.from_numpy(LABELS[:6])
    means = GeneratorStatistics(generator)
    with means.record():
        generator(z, c)
    means.update(DistributedContext())
    other.mapping(z, c, update_emas=True)
    assert torch.allclose(generator.mapping.w_avg, other.mapping.w_avg, rtol=1e-5)
    assert isinstance(generator.synthesis, StyleGan3Synthesis)
    assert isinstance(other.synthesis, StyleGan3Synthesis)
    first, reference = generator.synthesis.layer_names[0], other.synthesis
    other.synthesis(other.mapping(z, c), update_emas=True)
    own_layer, other_layer = generator.synthesis.get_submodule(first), reference.get_submodule(first)
    assert isinstance(own_layer, AliasFreeLayer)
    assert isinstance(other_layer, AliasFreeLayer)
    assert torch.allclose(own_layer.magnitude_ema, other_layer.magnitude_ema, rtol=1e-6)
    assert float(own_layer.magnitude_ema) != 1


def test_the_average_forgets_by_half_in_a_half_life() -> None:
    assert ema_decay(10**9, 500, 0.5, None) == 0.5
    assert ema_decay(10**9, 32, 10, 0.05) == 0.5 ** (32 / 10_000)


def test_the_average_follows_closely_at_first() -> None:
    assert ema_decay(0, 32, 10, 0.05) == 0
    assert ema_decay(6400, 32, 10, 0.05) == 0.5 ** (32 / 320)


def test_the_average_has_the_running_means_of_the_network_and_keeps_its_filters() -> None:
    made = Networks.random(small_config())
    average, network = made.generator_ema, made.generator
    filters = {name: buffer for name, buffer in average.named_buffers() if name.endswith("filter")}
    versions = {name: buffer._version for name, buffer in filters.items()}
    with torch.no_grad():
        network.mapping.w_avg.fill_(3)
        network.mapping.get_submodule("fc0").bias.fill_(4)
    update_ema(average, network, 0.75)
    assert (average.mapping.w_avg == 3).all()
    assert (average.mapping.get_submodule("fc0").bias == 1).all()
    assert {name: buffer._version for name, buffer in filters.items()} == versions


def test_running_means_that_are_no_numbers_are_left_out() -> None:
    generator = Networks.random(small_config()).generator
    before = weights(generator)
    means = GeneratorStatistics(generator)
    with means.record():
        generator(torch.full((2, generator.config.z_dim), float("nan")), torch.eye(3)[:2])
    means.update(DistributedContext())
    assert changed(before, weights(generator)) == set()


def test_styles_are_mixed_with_other_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[tuple[Tensor, Tensor]] = []

    def noting(first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
        pairs.append((first.detach(), second.detach()))
        return first

    monkeypatch.setattr("crowdgan_stylegan3.training.trainer.mix_styles", noting)
    settings = small_config(variant="stylegan2")
    learner(settings).step(batch(settings))
    assert len(pairs) == 3
    for first, second in pairs:
        assert (first - second).abs().amax(dim=(1, 2)).min() > 0.01
