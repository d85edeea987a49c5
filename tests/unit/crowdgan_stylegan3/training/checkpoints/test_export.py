"""Export of models: half precision, with discriminator, with the results of the run; from checkpoints and models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.metric_records import MetricRecord
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.card import read_card
from crowdgan_stylegan3.io.safetensors_files import (
    DISCRIMINATOR_KEY,
    DISCRIMINATOR_PREFIX,
    generator_card,
    has_discriminator,
    load_discriminator,
    load_network,
    save_network,
)
from crowdgan_stylegan3.training.checkpoints.export import export_network
from crowdgan_stylegan3.training.checkpoints.training_state import save_checkpoint
from crowdgan_stylegan3.training.checkpoints.transfer import read_weights, transfer_weights
from crowdgan_stylegan3.training.reporting.model_card import training_card
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASS_LABELS, small_config

HOURS = 1.5
"""Training time in the checkpoint."""

KIMG = 12.5
"""Length of training of the checkpoint and the snapshot."""


@pytest.fixture
def networks() -> Networks:
    return Networks.random(small_config(seed=1))


@pytest.fixture
def run(tmp_path: Path, networks: Networks) -> RunFolder:
    """A run folder with a checkpoint at 12.5 kimg, the snapshot, and metrics at 12 and 12.5 kimg."""
    folder = RunFolder(tmp_path / "00000-run")
    folder.path.mkdir()
    config = small_config(seed=1)
    trainer = Trainer(config, networks, DistributedContext(), batch_gpu=4, labels=CLASS_LABELS)
    trainer.nimg = round(KIMG * 1000)
    card = training_card(config, CLASS_LABELS)
    card.provenance["kimg"] = KIMG  # type: ignore[index]
    save_checkpoint(folder.checkpoint_path, trainer, card, {"seconds": HOURS * 3600})
    save_network(networks.generator_ema, card, folder.snapshot_path(KIMG))
    save_network(networks.generator_ema, card, folder.best_path("kid_lite0"))
    for name, key in (("kid_lite0", "kid_lite0"), ("density_fidelity", "density_fidelity_accuracy")):
        lines = [record(name, {key: kimg / 100, f"{key}_floor": 0.5}, kimg) for kimg in (12.0, KIMG)]
        folder.metric_path(name).write_text("".join(f"{json.dumps(line.to_json())}\n" for line in lines))
    stats = {"Progress/kimg": {"mean": KIMG}, "Timing/total_sec": {"mean": 2 * 3600}}
    folder.stats_path.write_text(f"{{damaged\n{json.dumps(stats)}\n")
    return folder


def record(metric: str, results: dict[str, float], kimg: float) -> MetricRecord:
    values: dict[str, Any] = {"standard_errors": {}, "num_images": 8, "seconds": 1.0, "num_gpus": 1}
    return MetricRecord(
        metric=metric, results=results, kimg=kimg, snapshot="network.safetensors", timestamp=0, **values
    )


def assert_equal_states(network: nn.Module, other: nn.Module, *, relative: float = 0.0) -> None:
    """Checks the float32 state of a network; parameters up to a relative rounding error."""
    expected = other.state_dict()
    assert network.state_dict().keys() == expected.keys()
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == expected[name].dtype, name
        torch.testing.assert_close(tensor, expected[name], rtol=relative, atol=relative and 1e-7, msg=name)


@pytest.mark.parametrize("half", [False, True])
def test_a_discriminator_is_exported_with_its_generator(
    run: RunFolder, networks: Networks, tmp_path: Path, half: bool
) -> None:
    dest = tmp_path / "model.safetensors"
    export_network(run, dest, half=half, with_discriminator=True)
    relative = 2**-10 if half else 0.0
    assert_equal_states(load_network(dest)[0], networks.generator_ema, relative=relative)
    assert_equal_states(load_discriminator(dest), networks.discriminator, relative=relative)
    alone = tmp_path / "alone.safetensors"
    export_network(run, alone, half=half)
    assert not has_discriminator(alone)
    assert list(read_weights(alone)) == ["G_ema"]


def test_training_from_a_model_with_discriminator_copies_all_networks(
    run: RunFolder, networks: Networks, tmp_path: Path
) -> None:
    dest = tmp_path / "model.safetensors"
    export_network(run, dest, with_discriminator=True)
    target = Networks.random(small_config(seed=2))
    reports = transfer_weights(read_weights(dest), target)
    assert [(report.network, report.skipped) for report in reports] == [("G", ()), ("D", ()), ("G_ema", ())]
    assert_equal_states(target.discriminator, networks.discriminator)
    assert_equal_states(target.generator_ema, networks.generator_ema)


def test_a_model_is_converted_to_half_precision_with_its_discriminator(run: RunFolder, tmp_path: Path) -> None:
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    export_network(run, full, with_discriminator=True)
    export_network(full, half, half=True, with_discriminator=True)
    direct = tmp_path / "direct.safetensors"
    export_network(run, direct, half=True, with_discriminator=True)
    assert read_card(half) == read_card(direct)
    tensors, expected = safetensors.torch.load_file(half), safetensors.torch.load_file(direct)
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors.items())
    discriminator = tmp_path / "d.safetensors"
    export_network(half, discriminator, which="D")
    assert_equal_states(load_discriminator(discriminator), load_discriminator(half))


@pytest.mark.parametrize("source", ["run", "checkpoint", "snapshot", "best"])
def test_the_card_has_the_metrics_and_hours_of_the_snapshot(run: RunFolder, tmp_path: Path, source: str) -> None:
    paths = {
        "run": run.path,
        "checkpoint": run.checkpoint_path,
        "snapshot": run.snapshot_path(KIMG),
        "best": run.best_path("kid_lite0"),
    }
    dest = tmp_path / "model.safetensors"
    export_network(paths[source], dest)
    provenance = read_card(dest).provenance
    assert provenance["metrics"] == {
        "density_fidelity": {"density_fidelity_accuracy": 0.125, "density_fidelity_accuracy_floor": 0.5},
        "kid_lite0": {"kid_lite0": 0.125, "kid_lite0_floor": 0.5},
    }
    assert provenance["hours"] == (HOURS if source in ("run", "checkpoint") else 2.0)
    export_network(dest, tmp_path / "copy.safetensors", half=True)
    assert read_card(tmp_path / "copy.safetensors").provenance == provenance


def test_metrics_of_another_snapshot_or_network_are_not_in_the_card(run: RunFolder, tmp_path: Path) -> None:
    dest = tmp_path / "model.safetensors"
    export_network(run, dest, which="G")
    assert "metrics" not in read_card(dest).provenance, "metrics are those of the EMA generator"
    for path in run.metric_paths().values():
        path.write_text(path.read_text().splitlines()[0])
    export_network(run, dest, overwrite=True)
    assert "metrics" not in read_card(dest).provenance


def test_a_network_that_the_source_lacks_is_an_error(run: RunFolder, tmp_path: Path) -> None:
    dest, snapshot = tmp_path / "model.safetensors", run.snapshot_path(KIMG)
    with pytest.raises(CheckpointError, match=f"{snapshot.name}: it has no discriminator; export the checkpoint"):
        export_network(snapshot, dest, with_discriminator=True)
    with pytest.raises(CheckpointError, match=f"{snapshot.name}: it has no discriminator; export the checkpoint"):
        export_network(snapshot, dest, which="D")
    with pytest.raises(CheckpointError, match="which has one generator; --which G needs a checkpoint"):
        export_network(snapshot, dest, which="G")
    with pytest.raises(ConfigError, match="--which D exports it alone"):
        export_network(run, dest, which="D", with_discriminator=True)
    pickle = tmp_path / "official.pkl"
    pickle.write_bytes(b"\x80\x04\x95")
    with pytest.raises(CheckpointError, match=r"official\.pkl: a pickle, for example an official snapshot"):
        export_network(pickle, dest, which="D")
    with pytest.raises(CheckpointError, match=r"no\.safetensors: no such file"):
        export_network(tmp_path / "no.safetensors", dest)
    assert not dest.exists()


@pytest.mark.parametrize(
    ("settings", "removed", "message"),
    [
        ("{", None, "damaged discriminator: Expecting property name"),
        ('{"resolution": "x"}', None, "damaged discriminator: settings"),
        (None, "b4.fc.weight", r"damaged discriminator: missing weights: b4\.fc\.weight"),
    ],
    ids=["not JSON", "invalid settings", "missing tensor"],
)
def test_a_damaged_discriminator_is_an_error_and_the_generator_loads(
    run: RunFolder, tmp_path: Path, settings: str | None, removed: str | None, message: str
) -> None:
    dest = tmp_path / "model.safetensors"
    export_network(run, dest, with_discriminator=True)
    with safetensors.safe_open(dest, framework="pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load_file(dest)
    if settings is not None:
        metadata[DISCRIMINATOR_KEY] = settings
    tensors = {name: tensor for name, tensor in tensors.items() if name != f"{DISCRIMINATOR_PREFIX}{removed}"}
    dest.write_bytes(safetensors.torch.save(tensors, metadata))
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: {message}"):
        read_weights(dest)
    load_network(dest)
    dest.write_bytes(dest.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged; the file has"):
        read_weights(dest)


def test_a_model_of_an_earlier_version_loads(networks: Networks, tmp_path: Path) -> None:
    """A file that holds the plain state of the generator in float32."""
    generator, path = networks.generator_ema, tmp_path / "model.safetensors"
    card = generator_card(generator.config, (), {})
    path.write_bytes(safetensors.torch.save(generator.state_dict(), {"crowdgan": json.dumps(card.to_json())}))
    assert_equal_states(load_network(path)[0], generator)
