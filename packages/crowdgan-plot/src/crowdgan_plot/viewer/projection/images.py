"""Images of a projected latent: the reconstruction, density edits, and differences from the target."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from crowdgan_core.manipulation.comparison import difference_image
from crowdgan_core.manipulation.density_edit import EditOptions, edit_latents
from crowdgan_core.manipulation.edit_files import edit_record
from crowdgan_core.manipulation.similarity import psnr
from crowdgan_core.models.generation.conditioning import LabelVector, describe_label
from crowdgan_core.models.generation.generation import synthesise_images
from crowdgan_core.models.generation.parsing import parse_layers
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_plot.viewer.model.image_state import format_float, label_arguments, read_label
from crowdgan_plot.viewer.model.images import GeneratorImages, describe_request
from crowdgan_plot.viewer.query import Query

Show = Literal["edited", "difference"]
"""The edited image, or its difference from the target, or from the reconstruction without a target."""

MAX_STRENGTH = 3.0


@dataclass(frozen=True, kw_only=True)
class EditState:
    """Requested density of a projected image."""

    label: LabelVector | None
    options: EditOptions
    show: Show = "edited"


class ProjectionImages(GeneratorImages[LatentGenerator, EditState]):
    """Images of a projected latent by state.

    Args:
        generator: the model of the latent.
        name: the model, as the user named it.
        latent: `[1, num_layers, latent_dim]`.
        source: label of the latent; None for a model without labels, or if it is unknown.
        target: the target `[height, width, 3]`; None if it is unknown.
        path: the latent file, for records and the equivalent command.
    """

    def __init__(
        self,
        generator: LatentGenerator,
        name: str,
        latent: LatentArray,
        source: LabelVector | None,
        target: ImageArray | None,
        path: Path,
    ) -> None:
        super().__init__(generator, name)
        self.source, self.target = source, target
        self._latent, self._path = latent, path
        self._means = LatentMeans(generator)
        (self.reconstruction,) = synthesise_images(generator, latent, 1)

    @property
    def reference(self) -> ImageArray:
        """The image that differences refer to: the target, or the reconstruction if it is unknown."""
        return self.reconstruction if self.target is None else self.target

    @property
    def can_edit(self) -> bool:
        """Whether the density can be changed."""
        return self.source is not None

    @property
    def psnr_db(self) -> float | None:
        """Similarity of the reconstruction to the target in dB; None without a target, or for equal images."""
        if self.target is None or np.array_equal(self.reconstruction, self.target):
            return None
        return psnr(self.reconstruction, self.target)

    def parse(self, query: Query) -> EditState:
        """The state of a query; without `density`, the density is unchanged.

        Raises:
            ConfigError: an invalid parameter.
        """
        is_edited = self.can_edit and query.has("density", "label")
        layers = query.text("layers")
        show: Any = query.choice("show", get_args(Show))
        options = EditOptions(
            layers=parse_layers(layers) if layers else None,
            strength=query.number("strength", 1.0, -MAX_STRENGTH, MAX_STRENGTH),
        )
        options.check_generator(self.generator)
        label = read_label(query, self.card) if is_edited else self.source
        query.end()
        return EditState(label=label, options=options, show=show)

    def image(self, state: EditState) -> ImageArray:
        """The image of a state, `[height, width, 3]`."""
        if state.show == "edited":
            return self._cached_image(state)
        return difference_image(self._cached_image(replace(state, show="edited")), self.reference)

    def latents(self, state: EditState) -> LatentArray:
        """Edited latents, `[1, num_layers, latent_dim]`."""
        if state.label is None or self.source is None:
            return self._latent
        layers, strength = state.options.layers, state.options.strength
        return edit_latents(self._latent, self._means, self.source, [state.label], layers=layers, strength=strength)

    def record(self, state: EditState) -> dict[str, Any]:
        """The record of an edited image, as that of `crowdgan edit`."""
        record = edit_record(self.card, self.file, state.options, {"latent": self._path.name})
        if state.label is None or self.source is None:
            return record
        return {**record, "edited from": list(self.source), "label": list(state.label)}

    def file_name(self, state: EditState) -> str:
        """Name of the image file."""
        return "edited.png" if state.label != self.source else "projected.png"

    def details(self, state: EditState) -> dict[str, Any]:
        """The equivalent command, the label as text, and a warning, JSON-ready."""
        return {"command": self._command(state), **describe_request(self.card, state.label)}

    def describe_source(self) -> str | None:
        """The density of the latent as text."""
        return None if self.source is None else describe_label(self.card, self.source)

    def _command(self, state: EditState) -> str:
        names = ["--network", self.name, "--latent", str(self._path)]
        if not self.can_edit:
            return shlex.join(["crowdgan", "generate", *names, "--outdir", "out"])
        options = [*label_arguments(self.card, state.label)]
        if state.options.layers is not None:
            options += ["--layers", ",".join(map(str, state.options.layers))]
        if state.options.strength != 1:
            options.append(f"--strength={format_float(state.options.strength)}")
        return shlex.join(["crowdgan", "edit", *names, *options, "--outdir", "out"])

    def _render(self, state: EditState) -> ImageArray:
        image: ImageArray = synthesise_images(self.generator, self.latents(state), 1)[0]
        return image
