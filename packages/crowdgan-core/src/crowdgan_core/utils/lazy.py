"""Lazy attributes of packages (PEP 562): a public name is imported when it is first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def attach(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose public names are defined in its modules.

    `__version__` of a top-level package is the version of the installed distribution, whose name is the package's with
    hyphens.

    Args:
        package: `__name__` of the package.
        names: public name to the module that defines it, relative to the package, for example
            `{"Scene": "scenes.scene"}`.
    """
    has_version = "." not in package

    def __getattr__(name: str) -> Any:
        if name == "__version__" and has_version:
            from importlib.metadata import version  # takes 35 ms

            value: Any = version(package.replace("_", "-"))
        elif name in names:
            value = getattr(importlib.import_module(f"{package}.{names[name]}"), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names, *(["__version__"] if has_version else [])})

    return __getattr__, __dir__
