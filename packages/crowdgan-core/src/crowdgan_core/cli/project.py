"""`crowdgan project`: latents whose images are nearest to given images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from crowdgan_core.api import load_generator
from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.model_options import device_option, network_option
from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.manipulation.history import History
from crowdgan_core.manipulation.perceptual_distance import PerceptualDistance
from crowdgan_core.manipulation.projection import InterruptedProjection, Projection, project_image
from crowdgan_core.manipulation.projection_files import ProjectConfig, write_projection
from crowdgan_core.manipulation.projector import ProjectionOptions
from crowdgan_core.manipulation.targets import Target, find_targets, training_transform
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.opening import match_weights
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, describe_label, given_label
from crowdgan_core.models.latent_generator import LatentGenerator, require_latents
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.scenes.transform import TRANSFORMS, ImageTransform, TransformName
from crowdgan_core.utils.progress import Progress


@click.command("project")
@network_option
@click.option("--target", type=click.Path(path_type=Path), required=True, help="Image, folder, ZIP file or dataset.")
@click.option("--outdir", type=click.Path(path_type=Path), required=True, help="Output folder.")
@options_from(Conditioning)
@click.option(
    "--transform", type=click.Choice(TRANSFORMS), help="Crop to apply before resizing.  [default: as in training]"
)
@options_from(ProjectionOptions)
@click.option("--tune", "is_tuned", is_flag=True, help="Also tune a copy of the model on each image (pivotal tuning).")
@options_from(TuningOptions)
@click.option("--save-video", is_flag=True, help="Also write projection.webp, an animation of the optimisation.")
@click.option(
    "--weights",
    metavar="[vgg16=]FILE",
    help="Weights of the feature extractor vgg16: report LPIPS instead of the distance of lite0 features.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite existing files.")
@device_option
def command(
    conditioning: Conditioning,
    options: ProjectionOptions,
    tuning: TuningOptions,
    network: Path,
    target: Path,
    outdir: Path,
    transform: TransformName | None,
    is_tuned: bool,
    save_video: bool,
    weights: str | None,
    overwrite: bool,
    device: str,
) -> None:
    """Find the latents of a model whose images are nearest to given images.

    Writes projected_w.npz, the latents for `crowdgan edit`, target.png, the cropped and resized image, and
    projection.png: target, projection and difference. With --tune also tuned.safetensors, a copy of the model whose
    image of these latents is nearer to the target, and tuned.png. For a folder or dataset, each image has its own
    folder below --outdir; finished ones are skipped. Ctrl-C writes the latents found so far.

    Images are cropped and resized as the training images of the model were. Without --density or --label, the label of
    an image is that of the dataset, or estimated by comparison with generated images.

    \b
    Examples:
      crowdgan project --network crowds64 --target square.jpg --outdir square
      crowdgan project --network crowds64 --target square.jpg --density 1.5 --tune --save-video --outdir square
      crowdgan project --network model.safetensors --target images --space w+ --num-steps 500 --outdir projections
    """
    plugins = installed_plugins()
    perceptual = _perceptual_distance(weights, plugins, device)
    generator = require_latents(load_generator(network, device), "projection")
    targets = find_targets(target, generator.card, plugins.scene_sources)
    is_single = len(targets) == 1 and target.is_file()
    label = given_label(generator.card, conditioning)
    image_transform = training_transform(generator.card, transform)
    configs = {
        item.name: ProjectConfig(
            outdir=outdir if is_single else outdir / item.name,
            overwrite=overwrite,
            model_name=network.name,
            options=options,
            tuning=tuning if is_tuned else None,
            save_video=save_video,
            perceptual=perceptual,
        )
        for item in targets
    }
    remaining = [item for item in targets if is_single or overwrite or not configs[item.name].is_complete]
    for item in remaining:
        configs[item.name].check_destination()
    if len(remaining) < len(targets):
        click.echo(f"{len(targets) - len(remaining)} of {len(targets)} images are finished already")
    click.echo(printable(f"crop of the images: {image_transform}"))
    means = LatentMeans(generator)
    with progress_bar() as progress:
        for item in remaining:
            _project(item, image_transform, label or item.label, generator, means, configs[item.name], progress)


def _project(
    item: Target,
    transform: ImageTransform,
    label: LabelVector | None,
    generator: LatentGenerator,
    means: LatentMeans,
    config: ProjectConfig,
    progress: Progress,
) -> None:
    """Projects one image, and writes and prints the result."""
    pixels = item.pixels(transform)
    history = History(pixels) if config.save_video else None
    try:
        projection = project_image(
            generator,
            pixels,
            label,
            means=means,
            options=config.options,
            tuning=config.tuning,
            progress=progress,
            history=history,
        )
    except InterruptedProjection as interrupt:
        _write(interrupt.projection, config, item.name, history)
        steps = f"{interrupt.projection.num_steps} of {config.options.num_steps} steps"
        raise KeyboardInterrupt(f"the latents after {steps} were kept; the same command repeats it") from interrupt
    _write(projection, config, item.name, history)


def _perceptual_distance(weights: str | None, plugins: PluginRegistry, device: str) -> PerceptualDistance | None:
    """LPIPS with the given weights, otherwise the distance of lite0 features; None without an extractor."""
    files = match_weights([] if weights is None else [weights], "vgg16", plugins.feature_extractors)
    inputs = EvaluationInputs(num_images=1, extractors=plugins.feature_extractors, weights=files, device=device)
    return PerceptualDistance.of_available_extractor(inputs)


def _write(projection: Projection, config: ProjectConfig, name: str, history: History | None) -> None:
    """Writes a projection and prints its scores."""
    scores = write_projection(projection, config, name, history)
    tuned = "" if projection.tuner is None else f"; tuned: {_text(scores, 'tuned_')}"
    label = "" if projection.label is None else f" ({describe_label(projection.generator.card, projection.label)})"
    click.echo(printable(f"{name}{label}: {_text(scores, '')}{tuned}; wrote {config.outdir}"))


def _text(scores: Mapping[str, float], prefix: str) -> str:
    """The scores whose names begin with a prefix."""
    text = f"PSNR {scores[prefix + 'psnr_db']:.1f} dB, SSIM {scores[prefix + 'ssim']:.2f}"
    distance = scores.get(f"{prefix}perceptual_distance")
    return text if distance is None else f"{text}, perceptual distance {distance:.2f}"
