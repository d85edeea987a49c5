"""Tuning of the synthesis weights of a generator on the images of a few latents.

Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crowdgan_core.models.latent_generator import ImageLoss, LatentArray, LatentGenerator
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_stylegan3.inference.backpropagation import backpropagate
from crowdgan_stylegan3.io.safetensors_files import save_network
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan3 import StyleGan3Synthesis


class StyleGanTuner:
    """Tunes the synthesis network; implements `crowdgan_core.models.latent_generator.GeneratorTuner`.

    The Fourier features of StyleGAN3 are not tuned (Alaluf et al., "Third Time's the Charm?", 2022).
    """

    def __init__(self, network: Generator, generator: LatentGenerator) -> None:
        """Prepare the weights of a network for tuning.

        Args:
            network: the copy that is tuned.
            generator: the generator of the network's images.
        """
        self._network, self._generator = network, generator
        self._parameters = _tuned_parameters(network.synthesis)
        for parameter in self._parameters:
            parameter.requires_grad_()
        self._optimizer = torch.optim.Adam(self._parameters)

    @property
    def generator(self) -> LatentGenerator:
        """The tuned copy; its images change with each step."""
        return self._generator

    def step(self, latents: LatentArray, loss: ImageLoss, learning_rate: float) -> FloatArray:
        """One step of the optimizer on the summed loss; returns the loss of each image before it."""
        ws = torch.from_numpy(latents).to(self._parameters[0].device)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.zero_grad()
        values = backpropagate(self._network.synthesis(ws), loss)
        self._optimizer.step()
        return values

    def save(self, path: Path, provenance: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Writes the copy as a model file; `provenance` is added to that of the model card.

        Raises:
            DatasetError: the file exists and `overwrite` is False, or it cannot be written.
        """
        card = self._generator.card
        card = replace(card, provenance={**card.provenance, **provenance})
        save_network(self._network, card, path, overwrite=overwrite)


def _tuned_parameters(synthesis: nn.Module) -> list[nn.Parameter]:
    """The weights of a synthesis network without those of the Fourier features."""
    fixed = synthesis.input.parameters() if isinstance(synthesis, StyleGan3Synthesis) else ()
    excluded = {id(parameter) for parameter in fixed}
    return [parameter for parameter in synthesis.parameters() if id(parameter) not in excluded]
