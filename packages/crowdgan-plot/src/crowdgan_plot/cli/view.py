"""`crowdgan view`: a viewer in the browser."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.model_options import device_option
from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_plot.cli.options import PATH

if TYPE_CHECKING:
    from crowdgan_core.api import NamedSource
    from crowdgan_plot.viewer.app import View

EXTRA = "crowdgan-plot[viewer]"
"""The distribution with the dependencies of the viewer."""


@click.command("view")
@click.argument("path", metavar="[MODEL|RUN|DATASET|PROJECTION]", type=PATH, required=False)
@click.option("--network", type=PATH, help="Model of a projection.  [default: tuned.safetensors, or the recorded one]")
@click.option(
    "--data",
    type=PATH,
    help="Dataset with densities and images of the model's size: also measure the density of generated images, by "
    "predictors that are fitted to it.",
)
@click.option("--source", type=PATH, help="Source of a dataset: show boxes and the density estimate of its images.")
@click.option("--annotations", type=PATH, help="Annotation file of the source, if it is not stored with the images.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 for any free one.  [default: 8765, if it is free]")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@device_option
def command(
    path: Path | None,
    network: Path | None,
    data: Path | None,
    source: Path | None,
    annotations: Path | None,
    port: int | None,
    no_browser: bool,
    device: str,
) -> None:
    """View a model, training run, dataset or projection in the browser.

    \b
    - Model: images by seed, density and truncation; walks, style mixing.
    - Run folder: statistics and samples, live; the newest network snapshot.
    - Dataset: images by class and density; boxes and estimates with --source.
    - Projection: target, reconstruction, and its density on a slider.

    Without an argument, the pretrained model is shown. The pages are served to this computer only, need no internet,
    and the printed address contains a token that others do not know. From another computer, forward the port:
    ssh -L 8765:127.0.0.1:8765 HOST, and open the printed address there. Ctrl-C ends the viewer.

    \b
    Examples:
      crowdgan view
      crowdgan view crowds.safetensors --data crowds.zip
      crowdgan view training-runs/00000-stylegan3-t-crowds-batch32-gamma2
      crowdgan view crowds.zip --source crowds
      crowdgan view projected --network crowds64 --port 9000 --no-browser
    """
    try:
        from crowdgan_plot.viewer.app import create_app
        from crowdgan_plot.viewer.server import ADDRESS, has_display, open_browser, open_socket, serve
        from crowdgan_plot.viewer.targets import ViewOptions, open_view
    except ImportError as error:
        raise ConfigError(f"crowdgan view needs {error.name}: pip install '{EXTRA}'") from error
    options = ViewOptions(network=network, data=data, source=_open_source(source, annotations), device=device)
    view: View = open_view(path, options, installed_plugins())
    token = secrets.token_urlsafe(24)
    listener = open_socket(port)
    actual_port = listener.getsockname()[1]
    url = f"http://{ADDRESS}:{actual_port}/?token={token}"  # not localhost, whose IPv6 port can belong to another user

    def announce() -> None:
        click.echo(printable(f"{view.title}: {url}"))
        if no_browser or not has_display():
            forward = f"ssh -L {actual_port}:{ADDRESS}:{actual_port} HOST"
            click.echo(f"from another computer: {forward}, then open the address there")
        else:
            open_browser(url)

    serve(create_app(view, token), listener, on_start=announce)


def _open_source(source: Path | None, annotations: Path | None) -> NamedSource | None:
    """The source of a dataset.

    Raises:
        ConfigError: annotations without a source, or no source matches the path.
    """
    from crowdgan_core.api import open_source

    if source is None:
        if annotations is not None:
            raise ConfigError("--annotations is given without --source")
        return None
    return open_source(source, annotations=annotations)
