"""Continuous labels: networks respond to labels of any scale, before and after training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdgan_core.api import load_generator
from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import DiscriminatorConfig, LabelEncoding, StyleGan2Config
from crowdgan_stylegan3.io.safetensors_files import generator_card, save_network
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.label_features import label_features
from crowdgan_stylegan3.networks.mapping import MappingNetwork
from crowdgan_stylegan3.training.data.labels import TrainingLabels

SCALES = [(0.1, 4.0), (0.1, 300.0), (17.0, 179.0), (1e-6, 1e-5), (-3.0, 2.0), (0.0, 5e6)]
"""Smallest and largest label of a dataset."""


def labels_between(low: float, high: float, count: int = 64) -> Tensor:
    """Labels `[count, 1]`, evenly spaced on a logarithmic scale if they are positive."""
    spaced = np.geomspace(low, high, count) if low > 0 else np.linspace(low, high, count)
    return torch.from_numpy(spaced.astype(np.float32)[:, None])


def encoding_of(labels: Tensor) -> LabelEncoding:
    encoding = TrainingLabels(vectors=labels.numpy(), kind="value").encoding()
    assert encoding is not None
    return encoding


def mapping(encoding: LabelEncoding | None) -> MappingNetwork:
    torch.manual_seed(0)
    return MappingNetwork(z_dim=16, label_dim=1, w_dim=16, num_layers=2, num_ws=1, label_encoding=encoding)


def response(network: MappingNetwork, labels: Tensor) -> float:
    """Mean change of w from the smallest to the largest label, relative to the standard deviation of w over z."""
    z = torch.randn(256, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        low, high = (network(z, label.expand(len(z), 1))[:, 0] for label in (labels[0], labels[-1]))
    return float((high - low).square().mean().sqrt() / low.std(dim=0).square().mean().sqrt())


@pytest.mark.parametrize("scale", SCALES)
def test_a_fresh_network_responds_to_labels_of_any_scale(scale: tuple[float, float]) -> None:
    labels = labels_between(*scale)
    assert response(mapping(encoding_of(labels)), labels) > 0.3


def test_without_an_encoding_the_magnitude_of_a_label_is_lost() -> None:
    labels = labels_between(0.1, 300)
    assert response(mapping(None), labels) < 1e-3, "the reason for the encoding"


@pytest.mark.parametrize("scale", SCALES)
def test_the_label_can_be_learned_at_any_scale(scale: tuple[float, float]) -> None:
    labels = labels_between(*scale)
    encoding = encoding_of(labels)
    target = torch.linspace(-1, 1, len(labels))
    network = torch.nn.Sequential(mapping(encoding), torch.nn.Flatten(), torch.nn.Linear(16, 1))
    z = torch.randn(len(labels), 16, generator=torch.Generator().manual_seed(2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        predicted = network[2](network[0](z, labels)[:, 0])[:, 0]
        loss = (predicted - target).square().mean()
        loss.backward()
        optimizer.step()
    assert 1 - float(loss.detach() / target.var(unbiased=False)) > 0.95


@pytest.mark.parametrize("scale", SCALES)
def test_features_are_finite_and_distinguish_the_labels(scale: tuple[float, float]) -> None:
    labels = labels_between(*scale)
    features = label_features(labels, encoding_of(labels))
    assert features.shape == (64, 8)
    assert len(features.unique(dim=0)) == 64
    beyond = torch.tensor([[0.0], [-1e9], [1e30], [-0.0]])
    assert label_features(beyond, encoding_of(labels)).isfinite().all()


def test_vectors_are_standardised_per_number() -> None:
    vectors = np.array([[1, 5, 0.01], [2, 5, 1], [3, 5, 100]], np.float32)
    encoding = TrainingLabels(vectors=vectors, kind="value").encoding()
    assert encoding is not None
    assert encoding.is_log == (False, False, True)
    assert encoding.mean == pytest.approx((2, 5, 0), abs=1e-6)
    assert encoding.std[1] == 1, "a constant number"
    assert label_features(torch.from_numpy(vectors), encoding).shape == (3, encoding.num_features)


@pytest.mark.parametrize("kind", ["class", None])
def test_classes_are_not_encoded(kind: str | None) -> None:
    assert TrainingLabels(vectors=np.eye(3, dtype=np.float32), kind=kind).encoding() is None  # type: ignore[arg-type]


def test_generated_images_and_scores_respond_to_the_label(tmp_path: Path) -> None:
    labels = labels_between(0.1, 300)
    encoding = encoding_of(labels)
    torch.manual_seed(0)
    config = StyleGan2Config(resolution=16, label_dim=1, channel_base=256, channel_max=16, label_encoding=encoding)
    generator = Generator(replace(config, z_dim=16, w_dim=16, mapping_layers=2))
    path = tmp_path / "model.safetensors"
    save_network(generator, replace(generator_card(generator.config, (), {}), label_kind="value"), path)
    low, high = load_generator(path, "cpu").generate([1, 1], labels[[0, -1]].numpy()).astype(int)
    assert np.abs(high - low).mean() > 1
    discriminator = Discriminator(
        DiscriminatorConfig(
            resolution=16, label_dim=1, channel_base=256, channel_max=16, group_size=1, label_encoding=encoding
        )
    )
    images = torch.randn(1, 3, 16, 16).expand(2, -1, -1, -1)
    low_score, high_score = discriminator(images, labels[[0, -1]]).detach().flatten().tolist()
    assert abs(high_score - low_score) > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": (1.0, 2.0)}, "the same length"),
        ({"std": (0.0,)}, "it must be above 0"),
        ({"num_frequencies": 0}, "it must be at least 1"),
    ],
)
def test_an_invalid_encoding_is_an_error(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(LabelEncoding(mean=(0.0,), std=(1.0,), is_log=(False,)), **changes)  # type: ignore[arg-type]


def test_an_encoding_of_another_length_than_the_labels_is_an_error() -> None:
    encoding = LabelEncoding(mean=(0.0,), std=(1.0,), is_log=(False,))
    with pytest.raises(ConfigError, match="label_encoding is for labels of 1 numbers; label_dim is 2"):
        StyleGan2Config(resolution=16, label_dim=2, label_encoding=encoding)
