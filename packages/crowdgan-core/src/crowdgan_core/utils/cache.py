"""The user's cache folder: files that can be deleted at any time, since they are created again."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_ENV_VAR = "CROWDGAN_CACHE"
"""Environment variable: folder of compiled ops and image features, instead of the user's cache folder."""


def cache_folder() -> Path:
    """The folder of all cached files of this user; it may not exist yet."""
    import platformdirs  # `import crowdgan_core` and lists of commands do not need it

    return Path(os.environ.get(CACHE_ENV_VAR) or platformdirs.user_cache_dir("crowdgan"))
