"""The hooks of this distribution. Importing this module loads no torch, so that `crowdgan --help` stays fast."""

from __future__ import annotations
