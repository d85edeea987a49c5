"""The command `crowdgan stylegan3 build`: compile the native CPU ops ahead of their first use."""

from __future__ import annotations

import click


@click.command("build")
def command() -> None:
    """Compile the native CPU ops now instead of on first use.

    Compilation takes some seconds, happens once per user and machine, and needs a C++ compiler: g++, clang++, or the
    one that the environment variable CXX names. CROWDGAN_CACHE sets another folder than the user's cache.

    \b
    Examples:
      crowdgan stylegan3 build
      CXX=clang++ crowdgan stylegan3 build
    """
    from crowdgan_stylegan3.ops.native.build import build_library

    click.echo(build_library(retry=True))
