"""Synthetic crowds of known density: random cameras and crowds, rendered and annotated in CrowdHuman's format.

Public names are imported on first use; the command line needs only the configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdgan_core.utils.lazy import attach

if TYPE_CHECKING:
    from crowdgan_core.synthetic.config import SyntheticConfig
    from crowdgan_core.synthetic.writer import write_synthetic_dataset

__all__ = ["SyntheticConfig", "write_synthetic_dataset"]

__getattr__, __dir__ = attach(__name__, {"SyntheticConfig": "config", "write_synthetic_dataset": "writer"})
