"""The installed density predictors that can be used."""

from __future__ import annotations

from collections.abc import Mapping

from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.plugins.registry import PluginRegistry


def available_predictors(plugins: PluginRegistry) -> tuple[Mapping[str, type[DensityPredictor]], tuple[str, ...]]:
    """Predictor classes by name, and for each one that cannot be used its name and the reason."""
    reasons = {name: cls.unavailable_reason() for name, cls in plugins.density_predictors.items()}
    available = {name: cls for name, cls in plugins.density_predictors.items() if reasons[name] is None}
    return available, tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason is not None)
