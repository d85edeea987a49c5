"""The generators: a mapping network and a synthesis network."""

from __future__ import annotations

from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import GeneratorConfig, StyleGan2Config, StyleGan3Config
from crowdgan_stylegan3.networks.mapping import MappingNetwork
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyleGan2Synthesis
from crowdgan_stylegan3.networks.synthesis_stylegan3 import StyleGan3Synthesis


class Generator(nn.Module):
    """Maps latents and labels to images."""

    def __init__(self, config: GeneratorConfig) -> None:
        """Build the network with random weights.

        Raises:
            ConfigError: the config belongs to an unknown family of generators.
        """
        super().__init__()
        self.config = config
        self.synthesis: StyleGan2Synthesis | StyleGan3Synthesis
        if isinstance(config, StyleGan3Config):
            self.synthesis = StyleGan3Synthesis(config)
        elif isinstance(config, StyleGan2Config):
            self.synthesis = StyleGan2Synthesis(config)
        else:
            raise ConfigError(f"config is a {type(config).__name__}; it must be a StyleGan3Config or StyleGan2Config")
        self.mapping = MappingNetwork(
            z_dim=config.z_dim,
            label_dim=config.label_dim,
            w_dim=config.w_dim,
            num_layers=config.mapping_layers,
            num_ws=self.synthesis.num_ws,
            label_encoding=config.label_encoding,
            label_transition=config.label_transition,
        )

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Tensor:
        """Images `[N, channels, resolution, resolution]`, float32, in about [-1, 1].

        Args:
            z: latents `[N, z_dim]` from a normal distribution.
            c: labels `[N, label_dim]`; None without labels.
            truncation_psi: factor of the distance from the mean w; 1 turns truncation off.
            truncation_cutoff: number of truncated layers; None for all.
            update_emas: whether to update the running means with this batch.

        Raises:
            ConfigError: the shape of the latents or labels is not valid.
        """
        ws = self.mapping(z, c, update_emas=update_emas)
        ws = self.mapping.truncate(ws, truncation_psi, truncation_cutoff)
        images: Tensor = self.synthesis(ws, update_emas=update_emas)
        return images
