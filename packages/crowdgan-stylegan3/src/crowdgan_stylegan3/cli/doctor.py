"""The command `crowdgan stylegan3 doctor`: versions, devices and the implementation of each op."""

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
@click.option("--build-log", is_flag=True, help="Print the log of the last failed build of the native ops.")
def command(as_json: bool, build_log: bool) -> None:
    """Show versions, devices and the implementation of each op, with reasons.

    \b
    Examples:
      crowdgan stylegan3 doctor
      crowdgan stylegan3 doctor --build-log
    """
    from crowdgan_stylegan3.diagnostics import diagnose

    if build_log:
        click.echo(_read_build_log())
        return
    diagnosis = diagnose()
    if as_json:
        click.echo(json.dumps(asdict(diagnosis), indent=2))
    else:
        _print_diagnosis(diagnosis)


def _read_build_log() -> str:
    from crowdgan_stylegan3.ops.native.build import plan_build

    log = plan_build().log
    try:
        return log.read_text()
    except FileNotFoundError:
        raise BuildError(f"{log}: no such log; no build of the native ops has failed") from None


def _print_diagnosis(diagnosis: Diagnosis) -> None:
    for name, version in diagnosis.versions.items():
        click.echo(f"{name:13} {version}")
    for device, implementations in diagnosis.devices.items():
        click.echo(f"\non {device}")
        for op, implementation in implementations.items():
            click.echo(f"  {op:15} {implementation.name:14} {implementation.reason}")
