"""`crowdgan stylegan3 doctor`: which form each op takes on each device, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crowdgan_core.errors import BuildError

if TYPE_CHECKING:
    from crowdgan_stylegan3.diagnostics import Diagnosis


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--build-log", is_flag=True, help="Print what the last failed build of the fast ops printed.")
def command(as_json: bool, build_log: bool) -> None:
    """Show which form each op takes on each device, and why, with the versions of what matters.

    \b
    Examples:
      crowdgan stylegan3 doctor
      crowdgan stylegan3 doctor --build-log
    """
    from crowdgan_stylegan3.diagnostics import diagnose

    if build_log:
        click.echo(_build_log())
        return
    found = diagnose()
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        _print(found)


def _build_log() -> str:
    from crowdgan_stylegan3.ops.native.build import planned_build

    log = planned_build().log
    try:
        return log.read_text()
    except FileNotFoundError:
        raise BuildError(f"{log}: there is no log, since no build has failed") from None


def _print(found: Diagnosis) -> None:
    for name, version in found.versions.items():
        click.echo(f"{name:13} {version}")
    for device, forms in found.devices.items():
        click.echo(f"\non {device}")
        for op, form in forms.items():
            click.echo(f"  {op:15} {form.name:14} {form.reason}")
