"""Files of a projection: latents, comparison with the target, and the tuned model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite, check_writable
from crowdgan_core.manipulation.comparison import comparison
from crowdgan_core.manipulation.history import History
from crowdgan_core.manipulation.perceptual_distance import PerceptualDistance
from crowdgan_core.manipulation.projection import Projection
from crowdgan_core.manipulation.projector import ProjectionOptions
from crowdgan_core.manipulation.targets import content_hash
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record
from crowdgan_core.models.latent_file import encode_latent, read_latent_record

LATENT_NAME = "projected_w.npz"
TARGET_NAME = "target.png"
COMPARISON_NAME = "projection.png"
ANIMATION_NAME = "projection.webp"
TUNED_NAME = "tuned.safetensors"
TUNED_COMPARISON_NAME = "tuned.png"

INTERRUPTED_KEY = "interrupted"
"""Key in the record of a projection that was interrupted; another run repeats it."""


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

    save_video: bool = False
    """Whether to write an animation of the optimisation."""

    perceptual: PerceptualDistance | None = None
    """Adds its distance to the scores."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the output files."""
        tuned = (TUNED_COMPARISON_NAME, TUNED_NAME) if self.tuning is not None else ()
        return (TARGET_NAME, COMPARISON_NAME, *((ANIMATION_NAME,) if self.save_video else ()), *tuned, LATENT_NAME)

    @property
    def is_complete(self) -> bool:
        """Whether all output files exist, of a projection that was not interrupted."""
        return all((self.outdir / name).exists() for name in self.names) and not self._is_interrupted

    @property
    def may_overwrite(self) -> bool:
        """Whether existing files are overwritten: on request, and those of an interrupted projection."""
        return self.overwrite or self._is_interrupted

    @property
    def _is_interrupted(self) -> bool:
        try:
            return INTERRUPTED_KEY in read_latent_record(self.outdir / LATENT_NAME)
        except DatasetError:
            return False

    def check_destination(self) -> None:
        """Checks that the output files may be written.

        Raises:
            DatasetError: a file exists and may not be overwritten, or the folder cannot be written.
        """
        check_writable(self.outdir)
        for name in self.names:
            check_overwrite(self.outdir / name, overwrite=self.may_overwrite)


def write_projection(
    projection: Projection, config: ProjectConfig, name: str, history: History | None = None
) -> dict[str, float]:
    """Writes the files of a projection, the latent file last; returns its scores.

    Args:
        projection: the projection.
        config: destination and options.
        name: name of the target, for the records.
        history: images of the animation, if the config has one.

    Raises:
        DatasetError: a file exists already or cannot be written.
    """
    scores, overwrite = projection.scores(config.perceptual), config.may_overwrite
    record = projection_record(projection, scores, config, name)
    with atomic_writer(config.outdir) as write:
        write(TARGET_NAME, encode_png_with_metadata(projection.target, record), overwrite=overwrite)
        strip = comparison(projection.target, projection.image, "projected")
        write(COMPARISON_NAME, encode_png_with_metadata(strip, record), overwrite=overwrite)
        if config.save_video and history is not None and history.entries:
            write(ANIMATION_NAME, history.encode(record), overwrite=overwrite)
        if projection.tuner is not None and projection.tuned_image is not None:
            strip = comparison(projection.target, projection.tuned_image, "tuned")
            write(TUNED_COMPARISON_NAME, encode_png_with_metadata(strip, record), overwrite=overwrite)
            provenance = {"tuned on": record}
            projection.tuner.save(config.outdir / TUNED_NAME, provenance, overwrite=overwrite)
        write(LATENT_NAME, encode_latent(projection.latent, record), overwrite=overwrite)
    return scores


def projection_record(
    projection: Projection, scores: Mapping[str, float], config: ProjectConfig, name: str
) -> dict[str, Any]:
    """Origin and scores of a projection, JSON-ready."""
    options = config.options.resolved(is_tuned=config.tuning is not None)
    return {
        "target": name,
        "target_sha256": content_hash(projection.target),
        "label": None if projection.label is None else list(projection.label),
        "distance": projection.distance,
        **{key: value for key, value in scores.items() if math.isfinite(value)},
        **({} if config.perceptual is None else {"perceptual_network": config.perceptual.name}),
        "options": asdict(options) | {"num_steps": projection.num_steps},
        **({} if config.tuning is None else {"tuning": asdict(config.tuning)}),
        **({INTERRUPTED_KEY: True} if _is_partial(projection, config) else {}),
        **model_record(projection.generator.card, config.model_name),
    }


def _is_partial(projection: Projection, config: ProjectConfig) -> bool:
    is_tuned = projection.tuner is not None
    return projection.num_steps < config.options.num_steps or is_tuned != (config.tuning is not None)
