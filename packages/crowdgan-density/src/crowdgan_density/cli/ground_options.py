"""Options of the commands that measure with the `ground` estimator."""

from __future__ import annotations

import click

settings_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Option of the `ground` estimator (repeatable)."
)

zones_option = click.option(
    "--zones",
    metavar="FILE|groups|grid:METRES",
    help="Also measure zones: GeoJSON file, groups, or grid on the ground.",
)
