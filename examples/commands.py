"""Running crowdgan commands from the scripts of this folder."""

from __future__ import annotations

import subprocess
import sys


def crowdgan(*arguments: object) -> None:
    """Prints and runs a crowdgan command."""
    print("\n$ crowdgan", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "crowdgan_core", *map(str, arguments)], check=True)
