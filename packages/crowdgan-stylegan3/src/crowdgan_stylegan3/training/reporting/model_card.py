"""Model card of a run's generator."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.io.safetensors_files import generator_card
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels


def training_card(config: TrainingConfig, labels: TrainingLabels) -> ModelCard:
    """Model card of a run's generator before training."""
    provenance = {
        "data": Path(config.data).name,
        "cfg": config.variant,
        "batch": config.batch,
        "gamma": config.loss.r1_gamma,
        "software": f"crowdgan-stylegan3 {version('crowdgan-stylegan3')}",
        **({} if config.source is None else {"started from": Path(config.source).name}),
    }
    return replace(
        generator_card(config.generator, labels.classes, provenance),
        label_kind=labels.kind,
        unit=labels.unit,
        labelling=labels.labelling,
    )
