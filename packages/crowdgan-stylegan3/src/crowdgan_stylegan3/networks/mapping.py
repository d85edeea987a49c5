"""The mapping network: latents and labels to intermediate latents.

Source: Karras et al., "A Style-Based Generator Architecture for GANs", 2019; with labels: Karras et al., "Training
Generative Adversarial Networks with Limited Data", 2020.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import LabelEncoding
from crowdgan_stylegan3.networks.label_features import label_features
from crowdgan_stylegan3.networks.linear import Linear, normalise

LR_MULTIPLIER = 0.01
"""Learning rate of the mapping layers relative to that of the other layers (Karras et al. 2019)."""

W_AVG_DECAY = 0.998
"""Decay of the running mean of intermediate latents, per batch."""


class MappingNetwork(nn.Module):
    """Maps latents, labels or both to `w`; a generator's network repeats `w` per layer and tracks its mean."""

    w_avg: Tensor
    label_weight: Tensor | None
    """Influence of the labels, 0 to 1; None for 1."""

    def __init__(
        self,
        *,
        z_dim: int,
        label_dim: int,
        w_dim: int,
        num_layers: int,
        num_ws: int | None,
        label_encoding: LabelEncoding | None = None,
        label_transition: bool = False,
    ) -> None:
        """Initialise the layers with random weights.

        Args:
            z_dim: length of the latent; 0 for a mapping of labels only.
            label_dim: length of the label; 0 for an unconditional mapping.
            w_dim: length of the result.
            num_layers: number of fully connected layers.
            num_ws: number of copies of the result, one per layer of the generator; None for a discriminator.
            label_encoding: encoding of the labels; None for none.
            label_transition: whether the influence of the labels changes in training, which starts at 0.
        """
        super().__init__()
        self.z_dim, self.label_dim, self.num_layers, self.num_ws = z_dim, label_dim, num_layers, num_ws
        self.label_encoding = label_encoding
        if label_dim:
            self.embed = Linear(label_dim if label_encoding is None else label_encoding.num_features, w_dim)
        sizes = [z_dim + (w_dim if label_dim else 0), *[w_dim] * num_layers]
        for index, (in_features, out_features) in enumerate(pairwise(sizes)):
            layer = Linear(in_features, out_features, activation="lrelu", lr_multiplier=LR_MULTIPLIER)
            self.add_module(f"fc{index}", layer)
        if num_ws is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))
        self.register_buffer("label_weight", torch.zeros(()) if label_transition else None)

    def forward(self, z: Tensor | None, c: Tensor | None, *, update_emas: bool = False) -> Tensor:
        """Intermediate latents `[N, num_ws, w_dim]`, or `[N, w_dim]` for a discriminator.

        Args:
            z: latents `[N, z_dim]`; None without latents.
            c: labels `[N, label_dim]`; None without labels.
            update_emas: whether to update the running mean with this batch.

        Raises:
            ConfigError: the shape of the latents or labels is not valid.
        """
        z, c = self._validate("z", z, self.z_dim), self._validate("c", c, self.label_dim)
        inputs = [] if z is None else [normalise(z.float())]
        if c is not None:
            features = c.float() if self.label_encoding is None else label_features(c.float(), self.label_encoding)
            embedded = normalise(self.embed(features))
            inputs.append(embedded if self.label_weight is None else embedded * self.label_weight)
        x = torch.cat(inputs, dim=1)
        for index in range(self.num_layers):
            x = self.get_submodule(f"fc{index}")(x)
        if self.num_ws is None:
            return x
        if update_emas:
            self.w_avg.copy_(x.detach().mean(dim=0).lerp(self.w_avg, W_AVG_DECAY))
        return x.unsqueeze(1).expand(-1, self.num_ws, -1)

    def set_label_weight(self, weight: float) -> None:
        """Sets the influence of the labels, 0 to 1; only for a network with `label_transition`."""
        if self.label_weight is not None:
            self.label_weight.fill_(weight)

    def truncate(self, ws: Tensor, psi: float, cutoff: int | None = None, mean: Tensor | None = None) -> Tensor:
        """`ws` interpolated from a mean w by the factor `psi`, in the first `cutoff` layers; None for all layers.

        Args:
            ws: intermediate latents `[N, num_ws, w_dim]`.
            psi: 1 changes nothing.
            cutoff: number of layers.
            mean: mean w of each, `[N, num_ws, w_dim]`; None for the running mean of all.
        """
        if psi == 1:
            return ws
        truncated = (self.w_avg if mean is None else mean[:, :cutoff]).lerp(ws[:, :cutoff], psi)
        return truncated if cutoff is None else torch.cat([truncated, ws[:, cutoff:]], dim=1)

    @staticmethod
    def _validate(name: str, value: Tensor | None, length: int) -> Tensor | None:
        if length == 0:
            return None
        if value is None or value.ndim != 2 or value.shape[1] != length:
            actual = "missing" if value is None else f"of shape {list(value.shape)}"
            raise ConfigError(f"{name} is {actual}; it must be [N, {length}]")
        return value
