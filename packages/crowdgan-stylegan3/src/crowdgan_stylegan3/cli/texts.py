"""Texts that options of several commands take."""

from __future__ import annotations

from crowdgan_core.errors import ConfigError


def class_names(text: str) -> tuple[str, ...]:
    """The names in `A,B,…`; none for an empty text.

    Raises:
        ConfigError: an empty name, or two that are the same.
    """
    names = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    if "" in names or len(set(names)) < len(names):
        raise ConfigError(f"--classes {text}: write different names, such as sparse,medium,dense")
    return names
