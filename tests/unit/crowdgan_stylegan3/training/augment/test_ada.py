"""The adaptive augmentation probability: steps, limits, and restored states."""

from __future__ import annotations

import json

import pytest
import torch

from crowdgan_stylegan3.training.augment.ada import AdaptiveProbability
from crowdgan_stylegan3.training.config.training_config import AdaConfig
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

CPU = torch.device("cpu")


def run_steps(ada: AdaptiveProbability, steps: int, logit: float, first: int = 0) -> float:
    """Updates with constant logits; returns p."""
    for step in range(first, first + steps):
        ada.observe(torch.full((8, 1), logit))
        ada.update(step, DistributedContext())
    return ada.p


def test_p_changes_by_a_fixed_step_after_a_delay_of_one_interval() -> None:
    ada = AdaptiveProbability(AdaConfig(mode="ada", ramp_kimg=1), batch=10)  # 10 images · 4 steps / 1000 images
    assert run_steps(ada, 7, 3.0) == 0
    assert run_steps(ada, 1, 3.0, first=7) == pytest.approx(0.04)
    assert run_steps(ada, 4, 3.0, first=8) == pytest.approx(0.08)


def test_p_decreases_below_the_target() -> None:
    ada = AdaptiveProbability(AdaConfig(mode="ada", p=0.5, ramp_kimg=1), batch=10)
    assert run_steps(ada, 8, -1.0) == pytest.approx(0.46)


def test_p_is_clamped_to_0_and_1() -> None:
    high, low = (AdaptiveProbability(AdaConfig(mode="ada", p=p, ramp_kimg=0.1), batch=10) for p in (0.9, 0.1))
    assert run_steps(high, 40, 1.0) == 1
    assert run_steps(low, 40, -1.0) == 0


def test_p_is_unchanged_at_the_target() -> None:
    assert run_steps(AdaptiveProbability(AdaConfig(mode="ada", p=0.3, target=0.0), batch=10), 12, 0.0) == 0.3


def test_nan_logits_count_as_sign_0() -> None:
    config = AdaConfig(mode="ada", p=0.3, target=0.1, ramp_kimg=1)
    assert run_steps(AdaptiveProbability(config, batch=10), 8, float("nan")) == pytest.approx(0.26)


@pytest.mark.parametrize("mode", ["noaug", "fixed"])
def test_p_is_constant_without_ada(mode: str) -> None:
    assert run_steps(AdaptiveProbability(AdaConfig(mode=mode, p=0.3), batch=10), 12, 1.0) == 0.3  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 4, 6])
def test_a_restored_state_continues_exactly(steps: int) -> None:
    config = AdaConfig(mode="ada", ramp_kimg=1)
    uninterrupted, before, after = (AdaptiveProbability(config, batch=10) for _ in range(3))
    run_steps(uninterrupted, 20, 1.0)
    run_steps(before, steps, 1.0)
    after.restore(json.loads(json.dumps(before.state())), CPU)
    run_steps(after, 20 - steps, 1.0, first=steps)
    assert after.p == uninterrupted.p
    assert after.state() == uninterrupted.state()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": 1.5}, "p is 1.5; it must be from 0 to 1"),
        ({"mode": "no"}, "aug is no; it must be one of noaug, ada, fixed"),
        ({"interval": 0}, "interval is 0; it must be at least 1"),
    ],
)
def test_config_values_out_of_range_are_errors(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdaConfig(**{"mode": "ada", **changes})  # type: ignore[arg-type]
