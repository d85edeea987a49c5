"""`crowdgan stylegan3 build`: builds the native ops ahead of their first use."""

from __future__ import annotations

import click


@click.command("build")
def command() -> None:
    """Build the fast ops for this machine's CPU now, not on first use.

    It takes some seconds, needs a C++ compiler (g++ or clang++, or what CXX names), and happens once per user and
    machine. The environment variable CROWDGAN_CACHE chooses another folder than the user's cache.

    \b
    Examples:
      crowdgan stylegan3 build
      CXX=clang++ crowdgan stylegan3 build
    """
    from crowdgan_stylegan3.ops.native.build import built_library

    click.echo(built_library(retry=True))
