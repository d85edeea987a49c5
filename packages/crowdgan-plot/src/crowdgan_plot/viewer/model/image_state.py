"""The state of the model page: everything that determines its image."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, label_vector
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.parsing import MAX_MAGNITUDE, MAX_SEED, parse_layers
from crowdgan_core.models.generation.png_metadata import label_record, options_record
from crowdgan_core.models.generation.samples import image_name
from crowdgan_core.models.generation.sweep_steps import interpolated_step
from crowdgan_core.models.latent_generator import NoiseMode, TruncationMean
from crowdgan_plot.viewer.query import Query

MAX_TRUNCATION = 2.0
MAX_TRANSLATION = 2.0
"""In image widths."""

MAX_ROTATION_DEG = 180.0

MAX_LAYERS = 100
"""Largest number of layers that is accepted; models have fewer."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A point between two seeds."""

    seed: int
    """Seed at the end of the walk."""

    position: float
    """0 for the first seed, 1 for the last one; latents are interpolated linearly."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Style mixing with another seed."""

    seed: int
    """The other seed."""

    layers: tuple[int, ...]
    """Layers that are taken from it."""


@dataclass(frozen=True, kw_only=True)
class ImageState:
    """Seed, label and options of an image."""

    seed: int
    label: LabelVector | None
    options: GenerationOptions
    walk: Walk | None = None
    mix: Mix | None = None

    def __post_init__(self) -> None:
        if self.needs_latents and self.options.noise_mode != "const":
            raise ConfigError("walks and style mixing use the constant noise of the model; set noise to constant")

    @classmethod
    def from_query(cls, query: Query, card: ModelCard) -> ImageState:
        """The state of a query.

        Raises:
            ConfigError: an invalid parameter.
        """
        walk_seed = query.optional_integer("walk_seed", 0, MAX_SEED)
        position = query.number("walk", 0.0, 0.0, 1.0)
        mix_seed = query.optional_integer("mix_seed", 0, MAX_SEED)
        layers = query.text("mix_layers")
        return cls(
            seed=query.integer("seed", 0, 0, MAX_SEED),
            label=read_label(query, card),
            options=_read_options(query),
            walk=None if walk_seed is None else Walk(seed=walk_seed, position=position),
            mix=None if mix_seed is None or not layers else Mix(seed=mix_seed, layers=parse_layers(layers)),
        )

    @property
    def needs_latents(self) -> bool:
        """Whether the image is synthesised from latents that differ from those of its seed."""
        return self.walk is not None or self.mix is not None

    @property
    def file_name(self) -> str:
        """Name of the image file, as that of the equivalent command."""
        parts = []
        if self.walk is not None:
            parts.append(f"walk-{self.seed:04d}-{self.walk.seed:04d}-{self.walk.position:.2f}")
        if self.mix is not None:
            parts.append(f"mix-{self.seed:04d}-{self.mix.seed:04d}")
        return f"{'-'.join(parts)}.png" if parts else image_name(self.seed)

    def record(self, card: ModelCard) -> dict[str, Any]:
        """Origin of the image for its generation record, without the model; keys as those of the commands."""
        record: dict[str, Any] = {"seed": self.seed}
        if self.walk is not None:
            record |= {"walk_seed": self.walk.seed, "walk": self.walk.position}
        if self.mix is not None:
            record |= {"row": self.seed, "col": self.mix.seed, "styles": list(self.mix.layers)}
        return {**record, **label_record(card, self.label), **options_record(self.options)}

    def command(self, card: ModelCard, network: str, latent_file: str) -> str:
        """The command that writes the same image.

        Args:
            card: the model card.
            network: the model, as the user named it.
            latent_file: name of the file with the latents, for images that no other command generates.
        """
        options, transform = self.options, _transform_arguments(self.options)
        name, end = ["--network", network], ["--outdir", "out"]
        if self.walk is None and self.mix is not None and not transform:
            layers = ",".join(map(str, self.mix.layers))
            seeds = ["--rows", str(self.seed), "--cols", str(self.mix.seed), "--styles", layers]
            label = [*label_arguments(card, self.label), *_truncation_arguments(options)]
            return shlex.join(["crowdgan", "mix", *name, *seeds, *label, *end])
        if self.needs_latents:
            return shlex.join(["crowdgan", "generate", *name, "--latent", latent_file, *transform, *end])
        label = [*label_arguments(card, self.label), *_truncation_arguments(options), *transform]
        noise = [] if options.noise_mode == "const" else ["--noise-mode", options.noise_mode]
        return shlex.join(["crowdgan", "generate", *name, "--seeds", str(self.seed), *label, *noise, *end])


def read_label(query: Query, card: ModelCard) -> LabelVector | None:
    """The label of a query: `density`, or `label` for vectors of numbers; None for a model without labels.

    The density of classes is the index of a class from 0, or a number between two of them, which mixes their labels.

    Raises:
        ConfigError: the model has no such label.
    """
    if card.label_kind is None:
        return None
    if card.label_kind == "value" and card.label_dim > 1:
        return label_vector(card, Conditioning(label=query.text("label", ",".join(["1"] * card.label_dim))))
    if card.label_kind == "value":
        return (query.number("density", 1.0, -MAX_MAGNITUDE, MAX_MAGNITUDE),)
    return interpolated_step(card, query.number("density", 0.0, 0.0, card.label_dim - 1)).vector


def label_arguments(card: ModelCard, vector: LabelVector | None) -> list[str]:
    """Command-line options of a label."""
    if vector is None:
        return []
    if card.label_kind == "value" and len(vector) == 1:
        return ["--density", format_float(vector[0])]
    if card.classes and max(vector) == 1:
        return ["--density", card.classes[vector.index(1)]]
    return ["--label", ",".join(map(format_float, vector))]


def format_float(value: float) -> str:
    """The shortest text that is read as the same number."""
    return repr(float(value)).removesuffix(".0")


def _read_options(query: Query) -> GenerationOptions:
    noise_mode: Any = query.choice("noise", get_args(NoiseMode))
    truncation_mean: Any = query.choice("mean", get_args(TruncationMean))
    x, y = (query.number(name, 0.0, -MAX_TRANSLATION, MAX_TRANSLATION) for name in ("x", "y"))
    return GenerationOptions(
        translate=(x, y),
        rotate_deg=query.number("rotate", 0.0, -MAX_ROTATION_DEG, MAX_ROTATION_DEG),
        truncation_psi=query.number("trunc", 1.0, -MAX_TRUNCATION, MAX_TRUNCATION),
        truncation_cutoff=query.optional_integer("cutoff", 0, MAX_LAYERS),
        truncation_mean=truncation_mean,
        noise_mode=noise_mode,
        batch_size=1,
    )


def _truncation_arguments(options: GenerationOptions) -> Sequence[str]:
    arguments = [] if options.truncation_psi == 1 else ["--trunc", format_float(options.truncation_psi)]
    if options.truncation_cutoff is not None:
        arguments += ["--truncation-cutoff", str(options.truncation_cutoff)]
    if options.truncation_mean != "label":
        arguments += ["--truncation-mean", options.truncation_mean]
    return arguments


def _transform_arguments(options: GenerationOptions) -> list[str]:
    arguments = []
    if options.translate != (0.0, 0.0):
        arguments.append(f"--translate={','.join(map(format_float, options.translate))}")
    if options.rotate_deg:
        arguments.append(f"--rotate={format_float(options.rotate_deg)}")
    return arguments
