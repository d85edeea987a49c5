"""Projection of one image, with optional tuning of the generator."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crowdgan_core.manipulation.history import History
from crowdgan_core.manipulation.label_estimation import estimate_labels
from crowdgan_core.manipulation.perceptual_distance import PerceptualDistance
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
    """Steps of the optimisation; fewer than requested after an interrupt."""

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

    def scores(self, perceptual: PerceptualDistance | None = None) -> dict[str, float]:
        """Similarity of the image, and with the prefix `tuned_` of the tuned one, to the target.

        `psnr_db` is the peak signal-to-noise ratio in dB, `ssim` the structural similarity. With `perceptual`,
        `perceptual_distance` is added.
        """
        scores = self._scores(self.image, perceptual)
        if self.tuned_image is not None:
            tuned = self._scores(self.tuned_image, perceptual)
            scores |= {f"tuned_{name}": value for name, value in tuned.items()}
        return scores

    def _scores(self, image: ImageArray, perceptual: PerceptualDistance | None) -> dict[str, float]:
        scores = {"psnr_db": psnr(image, self.target), "ssim": ssim(image, self.target)}
        return scores if perceptual is None else scores | {"perceptual_distance": perceptual(image, self.target)}


def project_image(
    generator: LatentGenerator,
    target: ImageArray,
    label: LabelVector | None = None,
    *,
    means: LatentMeans | None = None,
    options: ProjectionOptions | None = None,
    tuning: TuningOptions | None = None,
    progress: Progress | None = None,
    history: History | None = None,
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
        history: receives the images during the optimisation.

    Raises:
        InterruptedProjection: an interrupt, with the projection so far.
    """
    means = means or LatentMeans(generator)
    options = (options or ProjectionOptions()).resolved(is_tuned=tuning is not None)
    progress = progress or NullProgress()
    (label,) = estimate_labels(generator, target[None]) if label is None else (label,)
    projector = Projector(generator, target[None], [label], means, options)

    def record() -> None:
        if history is not None:
            steps = projector.num_steps_done, options.num_steps
            history.add("projection", *steps, lambda: generator.synthesise(projector.latents)[0])

    def result() -> Projection:
        latent = projector.latents
        return Projection(
            generator=generator,
            target=target,
            latent=latent,
            label=label,
            image=generator.synthesise(latent)[0],
            distance=means.distance(latent, label),
            num_steps=projector.num_steps_done,
        )

    try:
        projector.run(progress, record)
    except KeyboardInterrupt as interrupt:
        raise InterruptedProjection(result()) from interrupt
    projection = result()
    if tuning is None:
        return projection
    try:
        return tune_projection(projection, means, tuning, seed=options.seed, progress=progress, history=history)
    except KeyboardInterrupt as interrupt:
        raise InterruptedProjection(projection) from interrupt


def tune_projection(
    projection: Projection,
    means: LatentMeans,
    options: TuningOptions,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    history: History | None = None,
) -> Projection:
    """The projection with a copy of the generator that is tuned on its target.

    Args:
        projection: a projection without tuning.
        means: means of the generator's latents.
        options: options of the tuning.
        seed: seed of everything random.
        progress: progress display.
        history: receives the images during the optimisation.
    """

    def record(step: int, tuner: GeneratorTuner) -> None:
        if history is not None:
            steps = step, options.num_tuning_steps
            history.add("tuning", *steps, lambda: tuner.generator.synthesise(projection.latent)[0])

    tuner = tune(
        projection.generator,
        projection.latent,
        projection.label,
        projection.target[None],
        means,
        options,
        seed=seed,
        progress=progress,
        after_step=record,
    )
    return replace(projection, tuner=tuner, tuned_image=tuner.generator.synthesise(projection.latent)[0])


class InterruptedProjection(KeyboardInterrupt):
    """An interrupt, with the projection so far."""

    def __init__(self, projection: Projection) -> None:
        super().__init__()
        self.projection = projection
