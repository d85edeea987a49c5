"""Projection of one image, with optional tuning of the generator."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.manipulation.label_estimation import estimate_labels
from crowdgan_core.manipulation.projector import ProjectionOptions, Projector
from crowdgan_core.manipulation.similarity import psnr, ssim
from crowdgan_core.manipulation.tuning import TuningOptions, tune
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.latent_generator import GeneratorTuner, LatentArray, LatentGenerator
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import NullProgress, Progress


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
    def best_image(self) -> ImageArray:
        """The image of the tuned copy, or without tuning of the generator."""
        return self.image if self.tuned_image is None else self.tuned_image

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
