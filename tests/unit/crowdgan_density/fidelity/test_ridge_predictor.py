"""The ridge predictor fulfils the contract of density predictors."""

from __future__ import annotations

from crowdgan_core.testing import check_density_predictor
from crowdgan_density.fidelity.ridge_predictor import RidgePredictor


def test_the_ridge_predictor_fulfils_the_contract() -> None:
    check_density_predictor(RidgePredictor)
