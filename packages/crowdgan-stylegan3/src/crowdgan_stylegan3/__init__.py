"""StyleGAN3 and StyleGAN2 for crowdgan: training, models, official snapshots, videos.

Public names are imported on first use; importing the package does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdgan_core.utils.lazy import attach

if TYPE_CHECKING:
    from crowdgan_stylegan3.config import generator_config
    from crowdgan_stylegan3.diagnostics import diagnose
    from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
    from crowdgan_stylegan3.inference.random_init import random_generator
    from crowdgan_stylegan3.inference.video import render_video
    from crowdgan_stylegan3.io.official_snapshot import import_snapshot
    from crowdgan_stylegan3.io.safetensors_files import load_network, save_network
    from crowdgan_stylegan3.networks.discriminator import Discriminator
    from crowdgan_stylegan3.networks.generator import Generator
    from crowdgan_stylegan3.training.api import estimate_resources, resume, train
    from crowdgan_stylegan3.training.checkpoints.export import export_network
    from crowdgan_stylegan3.training.config.options import TrainOptions

    __version__: str

__all__ = [
    "Discriminator",
    "Generator",
    "StyleGanImageGenerator",
    "TrainOptions",
    "diagnose",
    "estimate_resources",
    "export_network",
    "generator_config",
    "import_snapshot",
    "load_network",
    "random_generator",
    "render_video",
    "resume",
    "save_network",
    "train",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Discriminator": "networks.discriminator",
        "Generator": "networks.generator",
        "StyleGanImageGenerator": "inference.image_generator",
        "TrainOptions": "training.config.options",
        "diagnose": "diagnostics",
        "estimate_resources": "training.api",
        "export_network": "training.checkpoints.export",
        "generator_config": "config",
        "import_snapshot": "io.official_snapshot",
        "load_network": "io.safetensors_files",
        "random_generator": "inference.random_init",
        "render_video": "inference.video",
        "resume": "training.api",
        "save_network": "io.safetensors_files",
        "train": "training.api",
    },
)
