"""The example plugin crowdgan-blobs among the installed plugins of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

import pytest

from crowdgan_core.hookspecs import PROJECT
from crowdgan_core.plugins import discovery
from crowdgan_core.plugins.registry import PluginRegistry


@contextmanager
def installed_blobs() -> Iterator[PluginRegistry]:
    """Adds the plugin within the context: backend `blobs`, model `blobs32`, feature extractor `grid-colours`."""
    points = [*entry_points(group=PROJECT), EntryPoint("blobs", "crowdgan_blobs.plugin", PROJECT)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "entry_points", lambda group: points)
        discovery.installed_plugins.cache_clear()
        try:
            yield discovery.installed_plugins()
        finally:
            discovery.installed_plugins.cache_clear()
