"""The generators: a mapping and a synthesis network."""

from __future__ import annotations

from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import GeneratorConfig, StyleGan2Config, StyleGan3Config
from crowdgan_stylegan3.networks.mapping import MappingNetwork
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyleGan2Synthesis
from crowdgan_stylegan3.networks.synthesis_stylegan3 import StyleGan3Synthesis


class Generator(nn.Module):
    """Latents and labels to images."""

    def __init__(self, settings: GeneratorConfig) -> None:
        """Builds the network with random weights.

        Raises:
            ConfigError: settings of no known family.
        """
        super().__init__()
        self.settings = settings
        self.synthesis: StyleGan2Synthesis | StyleGan3Synthesis
        if isinstance(settings, StyleGan3Config):
            self.synthesis = StyleGan3Synthesis(settings)
        elif isinstance(settings, StyleGan2Config):
            self.synthesis = StyleGan2Synthesis(settings)
        else:
            raise ConfigError(f"{type(settings).__name__} are the settings of no generator")
        self.mapping = MappingNetwork(
            z_dim=settings.z_dim,
            label_dim=settings.label_dim,
            w_dim=settings.w_dim,
            num_layers=settings.mapping_layers,
            num_ws=self.synthesis.num_ws,
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
        """Images `[N, channels, resolution, resolution]` float32, about -1 to 1.

        Args:
            z: latents `[N, z_dim]`, of a normal distribution.
            c: labels `[N, label_dim]`; None without labels.
            truncation_psi: pull towards the mean w, 1 for none.
            truncation_cutoff: layers that are pulled; None for all.
            update_emas: whether running means take in this batch.

        Raises:
            ConfigError: latents or labels of another shape.
        """
        ws = self.mapping(z, c, update_emas=update_emas)
        ws = self.mapping.truncated(ws, truncation_psi, truncation_cutoff)
        images: Tensor = self.synthesis(ws, update_emas=update_emas)
        return images
