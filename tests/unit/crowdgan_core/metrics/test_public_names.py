"""Public names of `crowdgan_core.metrics`."""

from __future__ import annotations

import importlib
import pkgutil

from crowdgan_core import metrics


def test_public_names_are_functions_and_classes_not_modules_of_the_same_name() -> None:
    modules = [module.name for module in pkgutil.iter_modules(metrics.__path__)]
    for name in modules:
        importlib.import_module(f"crowdgan_core.metrics.{name}")
    assert not set(metrics.__all__) & set(modules)
    assert all(callable(getattr(metrics, name)) for name in metrics.__all__)
    assert set(metrics.__all__) <= set(dir(metrics))
