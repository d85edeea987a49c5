"""Training steps: changed weights, reproducibility, and independence of the micro-batch size."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crowdgan_stylegan3.networks.discriminator import Conv
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan3 import AliasFreeLayer, StyleGan3Synthesis
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.ema import GeneratorStatistics, ema_decay, update_ema
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASSES, SIDE_PX, small_config

LABELS = np.eye(3, dtype=np.float32)[np.arange(24) % 3]


def create_trainer(config: TrainingConfig, batch_gpu: int | None = None, networks: Networks | None = None) -> Trainer:
    label_dim = config.generator.label_dim
    labels = TrainingLabels(
        vectors=LABELS[:, :label_dim], kind="class" if label_dim else None, classes=CLASSES[:label_dim]
    )
    return Trainer(
        config,
        networks or Networks.random(config),
        DistributedContext(),
        batch_gpu=batch_gpu or config.batch,
        labels=labels,
    )


def random_batch(config: TrainingConfig, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (config.batch, 3, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=random)
    return images, torch.from_numpy(LABELS[: config.batch, : config.generator.label_dim])


def copy_state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def named_gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}


def changed_keys(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r", "stylegan2"])
@pytest.mark.parametrize("label_dim", [0, 3])
def test_a_step_changes_all_trained_weights_and_reports_losses(variant: str, label_dim: int) -> None:
    config = small_config(label_dim, variant=variant)
    trainer = create_trainer(config)
    before = copy_state(trainer.generator), copy_state(trainer.discriminator), copy_state(trainer.generator_ema)
    trainer.step(random_batch(config))
    trained = [name for name, _ in trainer.generator.named_parameters()]
    assert changed_keys(before[0], copy_state(trainer.generator)) >= set(trained)
    assert changed_keys(before[1], copy_state(trainer.discriminator)) >= {
        name for name, _ in trainer.discriminator.named_parameters()
    }
    assert changed_keys(before[2], copy_state(trainer.generator_ema)) >= set(trained)
    statistics = trainer.statistics.collect(trainer.context)
    names = {"Loss/G/loss", "Loss/D/loss", "Loss/scores/real", "Loss/scores/fake", "Loss/signs/real", "Loss/r1_penalty"}
    names |= {f"Loss/scores/real/{name}" for name in CLASSES[:label_dim]}
    names |= {"Loss/pl_penalty", "Loss/G/reg"} if variant == "stylegan2" else set()
    assert names <= statistics.keys()
    assert statistics["Progress/skipped"].mean == 0
    assert (trainer.nimg, trainer.step_count) == (4, 1)


def test_updates_have_their_intervals() -> None:
    config = small_config(variant="stylegan2")
    trainer = create_trainer(config)
    counts: dict[str, int] = {}
    for _ in range(17):
        trainer.step(random_batch(config))
        for name, times in trainer.timer.collect_ms().items():
            counts[name] = counts.get(name, 0) + len(times)
    assert counts == {"Gmain": 17, "Greg": 5, "Dmain": 17, "Dreg": 2}


def test_without_r1_there_is_no_r1_update() -> None:
    assert list(create_trainer(small_config(r1_gamma=0.0)).update_intervals) == ["Gmain", "Dmain"]


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_steps_are_reproducible(variant: str) -> None:
    config = small_config(variant=variant, augment="fixed", augment_p=0.5)
    results = []
    for _ in range(2):
        trainer = create_trainer(config)
        for seed in range(2):
            torch.manual_seed(torch.seed())  # the global random state has no influence
            trainer.step(random_batch(config, seed))
        results.append(copy_state(trainer.generator) | copy_state(trainer.discriminator))
    assert changed_keys(*results) == set()


def test_a_step_does_not_change_the_global_random_state() -> None:
    config = small_config(variant="stylegan2")
    before = torch.get_rng_state()
    trainer = create_trainer(config)
    trainer.step(random_batch(config))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r"])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_gradients_do_not_depend_on_the_micro_batch_size(variant: str, gamma: float) -> None:
    """Groups of the minibatch standard deviation, latents and running means cover the full batch."""
    config = small_config(variant=variant, batch=8, augment="noaug", group_size=4, r1_gamma=gamma)
    config = replace(config, optimizer=replace(config.optimizer, generator_lr=1e-12, discriminator_lr=1e-12))
    networks = Networks.random(config)
    undivided = create_trainer(config, 8, copy.deepcopy(networks))
    divided = create_trainer(config, 4, copy.deepcopy(networks))
    for trainer in (undivided, divided):
        trainer.step(random_batch(config))
    for first, second in ((undivided.generator, divided.generator), (undivided.discriminator, divided.discriminator)):
        gradients, second_gradients = named_gradients(first), named_gradients(second)
        assert len(gradients) > 5
        assert gradients.keys() == second_gradients.keys()
        for name, gradient in gradients.items():
            scale = float(gradient.abs().max())
            assert torch.allclose(gradient, second_gradients[name], rtol=1e-4, atol=1e-4 * scale), name
    for name, tensor in undivided.generator.named_buffers():
        assert torch.allclose(tensor, dict(divided.generator.named_buffers())[name], rtol=1e-5), name


def test_updates_with_a_non_finite_loss_are_skipped_and_counted() -> None:
    config = small_config(augment="noaug")
    trainer = create_trainer(config)
    trainer.step(random_batch(config))
    trainer.statistics.collect(trainer.context)
    parameters = dict(trainer.discriminator.named_parameters())
    name, weight = next(iter(parameters.items()))
    original_weight = weight.detach().clone()
    moments = copy.deepcopy(trainer.d_optimizer.state_dict())
    with torch.no_grad():
        weight.view(-1)[0] = float("nan")
    before = copy_state(trainer.generator), copy_state(trainer.discriminator)
    trainer.step(random_batch(config))
    statistics = trainer.statistics.collect(trainer.context)
    assert statistics["Progress/skipped"].mean == 1
    assert statistics["Loss/D/loss"].nonfinite > 0
    means = {"mapping.w_avg"} | {name for name in before[0] if name.endswith("magnitude_ema")}
    assert changed_keys(before[0], copy_state(trainer.generator)) <= means
    with torch.no_grad():
        weight.copy_(original_weight)
    after = copy_state(trainer.discriminator)
    assert changed_keys({**before[1], name: original_weight}, after) == set()
    state = trainer.d_optimizer.state_dict()
    assert all(
        torch.equal(value, state["state"][number][key])
        for number, moment in moments["state"].items()
        for key, value in moment.items()
    )


def test_frozen_layers_do_not_change() -> None:
    config = small_config(num_frozen=2, source=Path("a.pkl"))
    trainer = create_trainer(config)
    before = copy_state(trainer.discriminator)
    trainer.step(random_batch(config))
    unchanged_keys = before.keys() - changed_keys(before, copy_state(trainer.discriminator))
    convs = [name for name, module in trainer.discriminator.named_modules() if isinstance(module, Conv)]
    assert {f"{name}.weight" for name in convs[:2]} <= unchanged_keys
    assert f"{convs[2]}.weight" not in unchanged_keys


def test_the_blur_fades_linearly_to_zero() -> None:
    config = small_config(variant="stylegan3-r", batch=4)
    trainer = create_trainer(config)
    assert trainer.blur_sigma_px == 10
    trainer.nimg = 12_500  # half of the 25 kimg for a batch of 4
    assert trainer.blur_sigma_px == pytest.approx(5)
    trainer.nimg = 30_000
    assert trainer.blur_sigma_px == 0


def test_labels_of_generated_images_are_sampled_from_the_dataset() -> None:
    config = small_config(batch=24)
    trainer = Trainer(
        config,
        Networks.random(config),
        DistributedContext(),
        batch_gpu=24,
        labels=TrainingLabels(vectors=LABELS[[1, 1, 2]], kind="class", classes=CLASSES),
    )
    trainer.step(random_batch(config))
    statistics = trainer.statistics.collect(trainer.context)
    assert statistics["Loss/scores/fake/sparse"].num == 0
    assert statistics["Loss/scores/fake/medium"].num > statistics["Loss/scores/fake/dense"].num > 0


def test_running_means_equal_those_updated_by_the_networks() -> None:
    config = small_config()
    generator = Networks.random(config).generator
    other = copy.deepcopy(generator)
    z, c = torch.randn(6, config.generator.z_dim), torch.from_numpy(LABELS[:6])
    means = GeneratorStatistics(generator)
    with means.record():
        generator(z, c)
    means.update(DistributedContext())
    other.mapping(z, c, update_emas=True)
    assert torch.allclose(generator.mapping.w_avg, other.mapping.w_avg, rtol=1e-5)
    assert isinstance(generator.synthesis, StyleGan3Synthesis)
    assert isinstance(other.synthesis, StyleGan3Synthesis)
    other.synthesis(other.mapping(z, c), update_emas=True)
    layer, other_layer = (item.synthesis.get_submodule(item.synthesis.layer_names[0]) for item in (generator, other))
    assert isinstance(layer, AliasFreeLayer)
    assert isinstance(other_layer, AliasFreeLayer)
    assert torch.allclose(layer.magnitude_ema, other_layer.magnitude_ema, rtol=1e-6)
    assert float(layer.magnitude_ema) != 1


def test_the_ema_decay_is_half_in_one_half_life() -> None:
    assert ema_decay(10**9, 500, 0.5, None) == 0.5
    assert ema_decay(10**9, 32, 10, 0.05) == 0.5 ** (32 / 10_000)


def test_the_ema_half_life_is_limited_at_the_start() -> None:
    assert ema_decay(0, 32, 10, 0.05) == 0
    assert ema_decay(6400, 32, 10, 0.05) == 0.5 ** (32 / 320)


def test_the_ema_update_copies_running_means_and_does_not_write_filters() -> None:
    networks = Networks.random(small_config())
    generator_ema, network = networks.generator_ema, networks.generator
    filters = {name: buffer for name, buffer in generator_ema.named_buffers() if name.endswith("filter")}
    versions = {name: buffer._version for name, buffer in filters.items()}
    with torch.no_grad():
        network.mapping.w_avg.fill_(3)
        network.mapping.get_submodule("fc0").bias.fill_(4)
    update_ema(generator_ema, network, 0.75)
    assert (generator_ema.mapping.w_avg == 3).all()
    assert (generator_ema.mapping.get_submodule("fc0").bias == 1).all()
    assert {name: buffer._version for name, buffer in filters.items()} == versions


def test_non_finite_running_means_are_skipped() -> None:
    generator = Networks.random(small_config()).generator
    before = copy_state(generator)
    means = GeneratorStatistics(generator)
    with means.record():
        generator(torch.full((2, generator.config.z_dim), float("nan")), torch.eye(3)[:2])
    means.update(DistributedContext())
    assert changed_keys(before, copy_state(generator)) == set()


def test_styles_are_mixed_with_other_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[tuple[Tensor, Tensor]] = []

    def record_pair(first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
        pairs.append((first.detach(), second.detach()))
        return first

    monkeypatch.setattr("crowdgan_stylegan3.training.trainer.mix_styles", record_pair)
    config = small_config(variant="stylegan2")
    create_trainer(config).step(random_batch(config))
    assert len(pairs) == 3
    for first, second in pairs:
        assert (first - second).abs().amax(dim=(1, 2)).min() > 0.01


def test_before_a_transition_the_labels_have_no_influence_and_after_it_the_full_one() -> None:
    config = small_config(transition_kimg=(1.0, 2.0))
    trainer = create_trainer(config)
    z, labels = torch.randn(4, 512), torch.eye(3)
    with torch.no_grad():
        trainer.generator.mapping.embed.weight.mul_(50)  # as after training
    for nimg, weight in ((0, 0.0), (1500, 0.5), (2500, 1.0)):
        trainer.nimg = nimg
        assert trainer.label_weight == weight
        before = copy_state(trainer.discriminator.mapping)
        trainer.step(random_batch(config))
        changed = changed_keys(before, copy_state(trainer.discriminator.mapping))
        assert bool(changed) == (weight > 0)
        ws = [trainer.generator_ema.mapping(z[:1], label[None]) for label in labels]
        assert torch.equal(ws[0], ws[1]) == (weight == 0)


@pytest.mark.parametrize("heads", [1, 2])
def test_scores_of_two_heads_have_the_scale_of_one(heads: int) -> None:
    trainer = create_trainer(small_config(transition_kimg=(0.0, 1.0) if heads == 2 else None))
    trainer.nimg = 500
    assert torch.allclose(trainer._scores(torch.full((2, heads), 3.0)), torch.full((2, 1), 3.0))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"r1_gamma": 0.0}, set()),
        ({"transition_kimg": (0.0, 0.001)}, {"Loss/r1_penalty"}),
    ],
)
def test_options_of_the_loss_change_all_weights_and_report_their_penalties(
    changes: dict[str, object], names: set[str]
) -> None:
    config = small_config(**changes)
    trainer = create_trainer(config)
    before = copy_state(trainer.generator), copy_state(trainer.discriminator)
    for _ in range(2):
        trainer.step(random_batch(config))
    for network, state in zip((trainer.generator, trainer.discriminator), before, strict=True):
        assert {name for name, _ in network.named_parameters()} <= changed_keys(state, copy_state(network))
    statistics = trainer.statistics.collect(trainer.context)
    assert {name for name in statistics if name.endswith("_penalty")} == names
    assert statistics["Progress/skipped"].mean == 0


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_images_of_a_trained_generator_do_not_depend_on_what_requires_gradients(variant: str) -> None:
    """Values that are cached per weight, such as transformed weights, are those of the current weights."""
    config = small_config(variant=variant, channel_base=512, channel_max=32)
    trainer = create_trainer(config)
    generator, z, labels = trainer.generator, torch.randn(4, config.generator.z_dim), torch.eye(3)[[0, 1, 2, 0]]

    def images(network: Generator) -> Tensor:
        return network.synthesis(network.mapping(z, labels)).detach()

    for seed in range(3):
        trainer.step(random_batch(config, seed))
        expected = images(copy.deepcopy(generator))
        frozen = images(generator)
        generator.requires_grad_(True)
        trainable = images(generator)
        generator.requires_grad_(False)
        with torch.no_grad():
            without_graph = images(generator)
        for actual in (frozen, trainable, without_graph):
            assert torch.allclose(actual, expected, atol=1e-4)
