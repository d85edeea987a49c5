"""The generators: a mapping and a synthesis network."""

from __future__ import annotations

from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import GeneratorSettings, StyleGan2Settings, StyleGan3Settings
from crowdgan_stylegan3.networks.mapping import Mapping
from crowdgan_stylegan3.networks.synthesis2 import Synthesis2
from crowdgan_stylegan3.networks.synthesis3 import Synthesis3


class Generator(nn.Module):
    """Latents and labels to pictures."""

    def __init__(self, settings: GeneratorSettings) -> None:
        """Builds the network with random weights.

        Raises:
            ConfigError: settings of no known family.
        """
        super().__init__()
        self.settings = settings
        self.synthesis: Synthesis2 | Synthesis3
        if isinstance(settings, StyleGan3Settings):
            self.synthesis = Synthesis3(settings)
        elif isinstance(settings, StyleGan2Settings):
            self.synthesis = Synthesis2(settings)
        else:
            raise ConfigError(f"{type(settings).__name__} are the settings of no generator")
        self.mapping = Mapping(
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
        """Pictures `[N, channels, resolution, resolution]` float32, about -1 to 1.

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
        pictures: Tensor = self.synthesis(ws, update_emas=update_emas)
        return pictures
