"""`crowdgan edit`: the density of an image changed, everything else kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from crowdgan_core.api import load_generator, open_dataset
from crowdgan_core.cli.common.dataclass_options import add_options, options_from
from crowdgan_core.cli.common.model_options import device_option, network_option
from crowdgan_core.cli.common.output import printable, warn_about_extrapolation
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.density_edit import Edit, EditOptions, edit_image, edit_steps
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.manipulation.edit_files import EditConfig, edit_record, write_edit
from crowdgan_core.manipulation.projection import project_image
from crowdgan_core.manipulation.targets import find_targets, training_transform
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, describe_label, given_label
from crowdgan_core.models.generation.parsing import MAX_SEED
from crowdgan_core.models.generation.strips import AnimationFormat
from crowdgan_core.models.generation.sweep_steps import SweepRange
from crowdgan_core.models.latent_file import read_latent, recorded_label
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator, require_latents
from crowdgan_core.plugins.discovery import installed_plugins


@click.command("edit")
@network_option
@click.option(
    "--latent", type=click.Path(path_type=Path), help="Latent file of `crowdgan project` or of an earlier edit."
)
@click.option("--target", type=click.Path(path_type=Path), help="Image to project and edit.")
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Random seed of a generated image to edit.")
@options_from(Conditioning)
@options_from(SweepRange)
@click.option(
    "--source-density",
    help="Density or class of the unedited image.  [default: that of the latent file; estimated for --target; "
    "required for --seed]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Dataset with densities and images of the model's size: also measure the density of the edited images, by "
    "predictors that are fitted to it.",
)
@options_from(EditOptions)
@add_options(EditConfig)
@device_option
def command(
    conditioning: Conditioning,
    sweep_range: SweepRange,
    options: EditOptions,
    network: Path,
    latent: Path | None,
    target: Path | None,
    seed: int | None,
    source_density: str | None,
    data: Path | None,
    animation: AnimationFormat,
    outdir: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Change the density of an image and keep everything else as far as the model allows.

    The image is given by --latent, --target or --seed. With --density it is edited to this density, otherwise to
    densities from sparse to dense. Writes edit.png (images, and below them the differences from the unedited one),
    edit.webp (animation), and edited-0.png and edited-0.npz (image and latents) of each density. With --data, captions
    also show the measured densities, as in `crowdgan metrics density`. The background similarity of an edit is 1 if the
    half of the pixels that changes least is unchanged, and 0 if it is as different as images of other seeds.

    A projected image keeps more of its details with a tuned model: `crowdgan project --tune`, then
    `crowdgan edit --network tuned.safetensors --latent projected_w.npz`.

    \b
    Examples:
      crowdgan edit --network crowds64 --seed 3 --source-density 0.5 --density 2.5 --outdir edit
      crowdgan edit --network square/tuned.safetensors --latent square/projected_w.npz --outdir edit
      crowdgan edit --network model.safetensors --target square.jpg --density dense --layers 4-7 --outdir edit
      crowdgan edit --network crowds64 --seed 3 --source-density 0.5 --data crowds.zip --outdir edit
    """
    if sum(item is not None for item in (latent, target, seed)) != 1:
        raise ConfigError("give one of --latent, --target and --seed")
    generator = require_latents(load_generator(network, device), "an edit")
    card = generator.card
    vector = given_label(card, conditioning)
    steps = edit_steps(card, vector, sweep_range)
    config = EditConfig(animation=animation, outdir=outdir, overwrite=overwrite)
    config.check_destination(len(steps))
    source = given_label(card, Conditioning(density=source_density))
    if latent is not None:
        w, source, origin = _stored(latent, generator, source)
    elif target is not None:
        w, source, origin = _projected(target, generator, source)
    else:
        assert seed is not None
        w, source, origin = _generated(seed, generator, source)
    if vector is not None:
        warn_about_extrapolation(card, conditioning)
    edit = edit_image(generator, w, source, steps, options=options).with_background(generator)
    if data is not None:
        edit = edit.with_measured(_fit_measurement(data, generator, device))
    record = edit_record(card, network.name, options, origin)
    paths = write_edit(edit, card, replace(config, record=record))
    click.echo(printable(f"unedited image: {describe_label(card, source)}{_measured_text(edit, 0)}"))
    assert edit.background is not None
    for index, (step, similarity) in enumerate(zip(edit.steps, edit.background, strict=True)):
        measured = _measured_text(edit, 1 + index)
        click.echo(printable(f"{' '.join(step.caption)}{measured}, background similarity {similarity:.2f}"))
    for path in paths:
        click.echo(printable(f"wrote {path}"))


def _fit_measurement(path: Path, generator: LatentGenerator, device: str) -> DensityMeasurement:
    """Density predictors fitted to a dataset."""
    with open_dataset(path) as reader, progress_bar() as progress:
        return DensityMeasurement.fit(
            reader, installed_plugins(), resolution=generator.card.resolution, device=device, progress=progress
        )


def _measured_text(edit: Edit, index: int) -> str:
    """The measured densities of an image, with a comma before; empty without any."""
    values = [f"{values[index]:.3g} ({name})" for name, values in edit.measured.items()]
    return f", measured {', '.join(values)}" if values else ""


Origin = dict[str, object]


def _stored(
    path: Path, generator: LatentGenerator, source: LabelVector | None
) -> tuple[LatentArray, LabelVector, Origin]:
    """Latents of a file, with the label in its record."""
    w, record = read_latent(path, generator)
    source = source or recorded_label(record, generator.card)
    if source is None:
        raise ConfigError(f"{path}: the label of the image is unknown; give --source-density")
    return w, source, {"latent": path.name}


def _projected(
    path: Path, generator: LatentGenerator, source: LabelVector | None
) -> tuple[LatentArray, LabelVector, Origin]:
    """Latents of an image, found by projection."""
    targets = find_targets(path, generator.card, installed_plugins().scene_sources)
    if len(targets) != 1:
        raise ConfigError(f"{path}: {len(targets)} images; edit one of them, or use crowdgan project")
    pixels = targets[0].pixels(training_transform(generator.card))
    with progress_bar() as progress:
        projection = project_image(generator, pixels, source or targets[0].label, progress=progress)
    assert projection.label is not None
    return projection.latent, projection.label, {"target": path.name, **projection.scores()}


def _generated(
    seed: int, generator: LatentGenerator, source: LabelVector | None
) -> tuple[LatentArray, LabelVector, Origin]:
    """Latents of a seed."""
    if source is None:
        raise ConfigError("--seed needs the density of the unedited image; give --source-density")
    return generator.map_seeds([seed], np.array([source], np.float32)), source, {"seed": seed}
