"""Projection of one image, with optional tuning of the generator, and its files."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.manipulation.label_estimation import estimate_labels
from crowdgan_core.manipulation.latent_file import encode_latent
from crowdgan_core.manipulation.latent_means import LatentMeans
from crowdgan_core.manipulation.projection import ProjectionOptions, Projector
from crowdgan_core.manipulation.similarity import psnr, ssim
from crowdgan_core.manipulation.targets import content_hash
from crowdgan_core.manipulation.tuning import TuningOptions, tune
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record
from crowdgan_core.models.generation.strips import add_captions, image_strip
from crowdgan_core.models.latent_generator import GeneratorTuner, LatentArray, LatentGenerator
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import NullProgress, Progress

LATENT_NAME = "projected_w.npz"
COMPARISON_NAME = "projection.png"
TUNED_NAME = "tuned.safetensors"
TUNED_COMPARISON_NAME = "tuned.png"


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """The latents of an image, and the image that the generator makes of them."""

    generator: LatentGenerator
    """The generator, without tuning."""

    target: ImageArray
    """`[height, width, 3]`"""

    latent: LatentArray
    """`[1, num_layers, latent_dim]`"""

    label: LabelVector | None
    """Label of the image; None for a model without labels."""

    image: ImageArray
    """The generator's image of the latents."""

    distance: float
    """Root mean square distance from the mean latent of the label, in spreads; about 1 for generated images."""

    num_steps: int
    """Steps of the optimization; fewer than requested after an interrupt."""

    tuner: GeneratorTuner | None = None
    """The tuned copy of the generator; None without tuning."""

    tuned_image: ImageArray | None = None
    """The image of the tuned copy."""

    @property
    def best_generator(self) -> LatentGenerator:
        """The tuned copy, or without tuning the generator."""
        return self.generator if self.tuner is None else self.tuner.generator

    def scores(self) -> dict[str, float]:
        """Peak signal-to-noise ratio in dB, and structural similarity, of the image and of the tuned one."""
        scores = {"psnr_db": psnr(self.image, self.target), "ssim": ssim(self.image, self.target)}
        if self.tuned_image is not None:
            scores["tuned_psnr_db"] = psnr(self.tuned_image, self.target)
            scores["tuned_ssim"] = ssim(self.tuned_image, self.target)
        return scores


@dataclass(frozen=True, kw_only=True)
class ProjectConfig:
    """Output files and options of a projection."""

    outdir: Path
    overwrite: bool = False

    model_name: str
    """Name of the model file, for the records."""

    options: ProjectionOptions = field(default_factory=ProjectionOptions)

    tuning: TuningOptions | None = None
    """None for no tuning."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the output files."""
        tuned = (TUNED_COMPARISON_NAME, TUNED_NAME) if self.tuning is not None else ()
        return (COMPARISON_NAME, *tuned, LATENT_NAME)

    @property
    def is_complete(self) -> bool:
        """Whether all output files exist."""
        return all((self.outdir / name).exists() for name in self.names)

    def check_destination(self) -> None:
        """Checks that the output files may be written.

        Raises:
            DatasetError: a file exists and `overwrite` is False.
        """
        for name in self.names:
            check_overwrite(self.outdir / name, overwrite=self.overwrite)


def project_image(
    generator: LatentGenerator,
    target: ImageArray,
    label: LabelVector | None = None,
    *,
    means: LatentMeans | None = None,
    options: ProjectionOptions | None = None,
    tuning: TuningOptions | None = None,
    progress: Progress | None = None,
) -> Projection:
    """The projection of an image.

    Args:
        generator: the generator.
        target: `[height, width, 3]`, of the generator's size.
        label: label of the image; None estimates it.
        means: means of the generator's latents, which several projections can share.
        options: options of the projection.
        tuning: options of the tuning; None for no tuning.
        progress: progress display.

    Raises:
        KeyboardInterrupt: with the projection so far as `projection`, if the first phase was interrupted.
    """
    means = means or LatentMeans(generator)
    options = options or ProjectionOptions()
    progress = progress or NullProgress()
    (label,) = estimate_labels(generator, target[None]) if label is None else (label,)
    projector = Projector(generator, target[None], [label], means, options)
    try:
        projector.run(progress)
    except KeyboardInterrupt as interrupt:
        raise InterruptedProjection(_finish(generator, target, label, projector, means)) from interrupt
    if tuning is None:
        return _finish(generator, target, label, projector, means)
    tuner = tune(generator, projector.latents, target[None], tuning, seed=options.seed, progress=progress)
    return _finish(generator, target, label, projector, means, tuner)


class InterruptedProjection(KeyboardInterrupt):
    """An interrupt, with the projection so far."""

    def __init__(self, projection: Projection) -> None:
        super().__init__()
        self.projection = projection


def _finish(
    generator: LatentGenerator,
    target: ImageArray,
    label: LabelVector | None,
    projector: Projector,
    means: LatentMeans,
    tuner: GeneratorTuner | None = None,
) -> Projection:
    latent = projector.latents
    return Projection(
        generator=generator,
        target=target,
        latent=latent,
        label=label,
        image=generator.synthesise(latent)[0],
        distance=means.distance(latent, label),
        num_steps=projector.num_steps_done,
        tuner=tuner,
        tuned_image=None if tuner is None else tuner.generator.synthesise(latent)[0],
    )


def write_projection(projection: Projection, config: ProjectConfig, name: str) -> None:
    """Writes the files of a projection; the latent file is written last.

    Args:
        projection: the projection.
        config: destination and options.
        name: name of the target, for the records.

    Raises:
        DatasetError: a file exists already or cannot be written.
    """
    record = projection_record(projection, config, name)
    with atomic_writer(config.outdir) as write:
        strip = comparison(projection.target, projection.image, "projected")
        write(COMPARISON_NAME, encode_png_with_metadata(strip, record), overwrite=config.overwrite)
        if projection.tuner is not None and projection.tuned_image is not None:
            strip = comparison(projection.target, projection.tuned_image, "tuned")
            write(TUNED_COMPARISON_NAME, encode_png_with_metadata(strip, record), overwrite=config.overwrite)
            provenance = {"tuned on": record}
            projection.tuner.save(config.outdir / TUNED_NAME, provenance, overwrite=config.overwrite)
        write(LATENT_NAME, encode_latent(projection.latent, record), overwrite=config.overwrite)


def projection_record(projection: Projection, config: ProjectConfig, name: str) -> dict[str, Any]:
    """Origin and scores of a projection, JSON-ready."""
    return {
        "target": name,
        "target_sha256": content_hash(projection.target),
        "label": None if projection.label is None else list(projection.label),
        "distance": projection.distance,
        **{key: value for key, value in projection.scores().items() if math.isfinite(value)},
        "options": asdict(config.options) | {"num_steps": projection.num_steps},
        **({} if config.tuning is None else {"tuning": asdict(config.tuning)}),
        **model_record(projection.generator.card, config.model_name),
    }


def comparison(target: ImageArray, image: ImageArray, caption: str) -> ImageArray:
    """Target, image and absolute difference side by side, with captions: `[height, width, 3]`."""
    images = [target, image, difference_image(target, image)]
    captions = [("target",), (caption, f"{psnr(image, target):.1f} dB"), ("difference",)]
    return image_strip(add_captions(images, captions))


def difference_image(a: ImageArray, b: ImageArray) -> ImageArray:
    """Absolute difference of two images `[height, width, 3]`: white for equal pixels, black for the maximum."""
    return np.asarray(255 - np.abs(a.astype(np.int16) - b), np.uint8)
