"""The adaptive probability: its steps, its bounds, and that it goes on where it stopped."""

from __future__ import annotations

import json

import pytest
import torch

from crowdgan_stylegan3.training.augment.ada import AdaptiveProbability
from crowdgan_stylegan3.training.config.training_config import AdaConfig
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

CPU = torch.device("cpu")


def run(ada: AdaptiveProbability, steps: int, logit: float, first: int = 0) -> float:
    for step in range(first, first + steps):
        ada.observe(torch.full((8, 1), logit))
        ada.update(step, DistributedContext())
    return ada.p


def test_p_moves_by_a_fixed_step_once_the_signs_have_arrived() -> None:
    ada = AdaptiveProbability(AdaConfig(mode="ada", ramp_kimg=1), batch=10)  # 10 images · 4 steps of 1000
    assert run(ada, 7, 3.0) == 0
    assert run(ada, 1, 3.0, first=7) == pytest.approx(0.04)
    assert run(ada, 4, 3.0, first=8) == pytest.approx(0.08)


def test_p_sinks_where_d_is_not_confident() -> None:
    ada = AdaptiveProbability(AdaConfig(mode="ada", p=0.5, ramp_kimg=1), batch=10)
    assert run(ada, 8, -1.0) == pytest.approx(0.46)


def test_p_stays_between_0_and_1() -> None:
    high, low = (AdaptiveProbability(AdaConfig(mode="ada", p=p, ramp_kimg=0.1), batch=10) for p in (0.9, 0.1))
    assert run(high, 40, 1.0) == 1
    assert run(low, 40, -1.0) == 0


def test_p_stays_where_the_target_is_met() -> None:
    assert run(AdaptiveProbability(AdaConfig(mode="ada", p=0.3, target=0.0), batch=10), 12, 0.0) == 0.3


def test_logits_that_are_no_numbers_count_as_signs_of_0() -> None:
    settings = AdaConfig(mode="ada", p=0.3, target=0.1, ramp_kimg=1)
    assert run(AdaptiveProbability(settings, batch=10), 8, float("nan")) == pytest.approx(0.26)


@pytest.mark.parametrize("mode", ["noaug", "fixed"])
def test_a_p_that_is_not_adaptive_stays(mode: str) -> None:
    assert run(AdaptiveProbability(AdaConfig(mode=mode, p=0.3), batch=10), 12, 1.0) == 0.3  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 4, 6])
def test_it_goes_on_where_it_stopped(steps: int) -> None:
    settings = AdaConfig(mode="ada", ramp_kimg=1)
    straight, before, after = (AdaptiveProbability(settings, batch=10) for _ in range(3))
    run(straight, 20, 1.0)
    run(before, steps, 1.0)
    after.restore(json.loads(json.dumps(before.state())), CPU)
    run(after, 20 - steps, 1.0, first=steps)
    assert after.p == straight.p
    assert after.state() == straight.state()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": 1.5}, "p is 1.5; it must be from 0 to 1"),
        ({"mode": "no"}, "aug is no; it must be one of noaug, ada, fixed"),
        ({"interval": 0}, "interval is 0; it must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdaConfig(**{"mode": "ada", **changes})  # type: ignore[arg-type]
