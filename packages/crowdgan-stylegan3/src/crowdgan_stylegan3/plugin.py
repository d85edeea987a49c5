"""Hook implementations: commands, the model backend, pretrained models, and metrics. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crowdgan_core.hookspecs import CommandSpec, PretrainedModel, hookimpl
from crowdgan_stylegan3.backend_name import BACKEND_NAME

if TYPE_CHECKING:
    from crowdgan_core.metrics.extractor import FeatureExtractor
    from crowdgan_core.metrics.metric import Metric
    from crowdgan_core.metrics.predictor import DensityPredictor
    from crowdgan_core.models.backend import ModelBackend


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The commands of `crowdgan stylegan3`."""
    from crowdgan_core.cli.common.lazy_command import LazyCommand

    commands = [
        LazyCommand("init", "Create a model with random weights", "crowdgan_stylegan3.cli.init:command"),
        LazyCommand("import", "Import an official .pkl snapshot", "crowdgan_stylegan3.cli.import_:command"),
        LazyCommand("export", "Export a network from a checkpoint", "crowdgan_stylegan3.cli.export:command"),
        LazyCommand("video", "Render an interpolation video", "crowdgan_stylegan3.cli.video:command"),
        LazyCommand("doctor", "Check versions and op implementations", "crowdgan_stylegan3.cli.doctor:command"),
        LazyCommand("build", "Compile the native CPU ops", "crowdgan_stylegan3.cli.build:command"),
    ]
    return [CommandSpec(BACKEND_NAME, command) for command in commands]


@hookimpl
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """The model backend `stylegan3`."""
    from crowdgan_stylegan3.backend import StyleGan3Backend

    return [StyleGan3Backend()]


@hookimpl
def crowdgan_register_pretrained_models() -> Sequence[PretrainedModel]:
    """The models in the folder `pretrained` of this package."""
    from crowdgan_stylegan3.pretrained import FOLDER, models_in

    return models_in(FOLDER)


@hookimpl
def crowdgan_register_density_predictors() -> Sequence[type[DensityPredictor]]:
    """A small convolutional network that is trained on the annotated images."""
    from crowdgan_stylegan3.metrics.cnn_predictor import CnnPredictor

    return [CnnPredictor]


@hookimpl
def crowdgan_register_metrics() -> Sequence[Metric]:
    """Perceptual path length, and equivariance to translation and rotation."""
    from crowdgan_stylegan3.metrics.generator_metrics import GENERATOR_METRICS

    return GENERATOR_METRICS


@hookimpl
def crowdgan_register_feature_extractors() -> Sequence[type[FeatureExtractor]]:
    """Offline networks, and networks in files of the user."""
    from crowdgan_stylegan3.metrics.inception import InceptionExtractor
    from crowdgan_stylegan3.metrics.lite0 import Lite0Extractor
    from crowdgan_stylegan3.metrics.mobilenet import MobileNetExtractor
    from crowdgan_stylegan3.metrics.vgg16 import Vgg16Extractor

    return [Lite0Extractor, MobileNetExtractor, InceptionExtractor, Vgg16Extractor]
