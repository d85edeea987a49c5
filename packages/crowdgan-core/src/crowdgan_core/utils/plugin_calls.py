"""Calls of a plugin's code: errors in it become a `PluginError` that names the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points

from crowdgan_core.errors import CrowdganError, PluginError

ENTRY_POINT_GROUP = "crowdgan"
"""Entry-point group of plugins."""


@contextmanager
def plugin_call(kind: str, provided: object, where: str) -> Iterator[None]:
    """Converts an exception in a plugin's code to a `PluginError` that names the plugin, and keeps it as its cause.

    Args:
        kind: kind of the object, for example `density estimator`.
        provided: the plugin's object, or its name as returned by `provided_name`.
        where: what the code was called for, for example `image 273271`.

    Raises:
        PluginError: the code raised an exception other than a `CrowdganError`.
    """
    try:
        yield
    except CrowdganError:
        raise
    except Exception as error:  # a plugin's code may raise any exception
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PluginError(f"{plugin_name(kind, provided)} failed: {where}: {reason}") from error


def require_result(condition: bool, kind: str, provided: object, where: str, problem: str) -> None:
    """Checks what a plugin's code returned.

    Raises:
        PluginError: the condition is false; the message names the plugin, and continues with `problem`, for example
            `class_index is 7; it must be from 0 to 2`.
    """
    if not condition:
        raise PluginError(f"{plugin_name(kind, provided)}: {where}: {problem}")


def plugin_name(kind: str, provided: object) -> str:
    """The name of a plugin's object for messages, for example `density estimator nearest of crowdgan-nearest`."""
    return f"{kind} {provided_name(provided)}"


def provided_name(provided: object) -> str:
    """The name of a plugin's object and its distribution, for example `nearest of crowdgan-nearest`.

    A text is such a name itself: the object may belong to another process.
    """
    if isinstance(provided, str):
        return provided
    cls = provided if isinstance(provided, type) else type(provided)
    name = getattr(provided, "name", None)
    distribution = _distribution(cls.__module__)
    return f"{name if isinstance(name, str) else cls.__name__}{f' of {distribution}' if distribution else ''}"


def _distribution(module: str) -> str | None:
    """The distribution of the plugin with this module; None if no plugin has the module's top-level package."""
    package = module.partition(".")[0]
    points = (point for point in entry_points(group=ENTRY_POINT_GROUP) if point.module.partition(".")[0] == package)
    return next((point.dist.name for point in points if point.dist is not None), None)
