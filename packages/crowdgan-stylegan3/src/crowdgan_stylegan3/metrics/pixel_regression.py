"""A small convolutional network that predicts a number from an image, and its training."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.progress import Progress

MAX_SIDE_PX = 64
"""Longer side to which images are reduced; the training time is then the same for all larger images."""

CHANNELS = (16, 32, 64, 96)
"""Channels of the blocks, each of which halves the resolution."""

BATCH_SIZE, PREDICTION_BATCH_SIZE = 32, 64

MAX_EPOCHS, PATIENCE_EPOCHS = 40, 12
"""Maximum number of passes over the images, and passes without improvement after which training stops."""

MAX_STEPS = 800
"""Maximum number of training steps, which limits the time for large datasets."""

LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
"""Peak learning rate of a one-cycle schedule, and weight decay, of AdamW; ours, by held-out error."""

VALIDATION_FRACTION = 0.15
"""Fraction of the training images by whose error the best epoch is chosen."""


class PixelRegression:
    """A trained network, with the mean and the scale of the predicted numbers."""

    def __init__(self, network: nn.Module, device: torch.device, mean: float, scale: float) -> None:
        self._network, self._device, self._mean, self._scale = network, device, mean, scale

    @classmethod
    def fit(
        cls,
        batches: Iterable[npt.NDArray[np.uint8]],
        targets: FloatArray,
        *,
        seed: int,
        device: torch.device,
        progress: Progress,
    ) -> PixelRegression:
        """Trains a network on batches of images `[num_images, height, width, 3]` and one number per image."""
        pixels = torch.cat([reduce_images(batch, device) for batch in batches])
        mean, scale = float(targets.mean()), float(targets.std()) or 1.0
        standardised = torch.tensor((targets - mean) / scale, dtype=torch.float32, device=device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_network(pixels).to(device)
        train_network(network, pixels, standardised, seed=seed, progress=progress)
        return cls(network, device, mean, scale)

    def predict(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Predicted numbers `[num_images]` of images `[num_images, height, width, 3]`."""
        starts = range(0, len(images), PREDICTION_BATCH_SIZE)
        batches = (images[start : start + PREDICTION_BATCH_SIZE] for start in starts)
        values = torch.cat([_evaluate(self._network, reduce_images(batch, self._device)) for batch in batches])
        return values.double().cpu().numpy() * self._scale + self._mean


def reduce_images(images: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Images `[num_images, 3, height, width]` from 0 to 1, reduced to `MAX_SIDE_PX` by averaging pixels."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
    factor = max(pixels.shape[2:]) / MAX_SIDE_PX
    if factor <= 1:
        return pixels
    size = [max(1, round(side / factor)) for side in pixels.shape[2:]]
    return functional.interpolate(pixels, size, mode="bilinear", antialias=True)


def build_network(pixels: Tensor) -> nn.Module:
    """A network with random weights that returns one number per image.

    Args:
        pixels: training images `[num_images, 3, height, width]`, by whose mean and deviation inputs are standardised.
    """
    layers: list[nn.Module] = [Standardise(pixels)]
    in_channels, side = 3, min(pixels.shape[2:])
    for channels in CHANNELS:
        layers += [nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        if side >= 8:
            layers.append(nn.AvgPool2d(2))
            side //= 2
        in_channels = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(in_channels, 1))


class Standardise(nn.Module):
    """Subtracts the mean colour of the training images and divides by the standard deviation."""

    def __init__(self, pixels: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", pixels.mean(dim=(0, 2, 3), keepdim=True))
        self.register_buffer("scale", pixels.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-3))

    def forward(self, pixels: Tensor) -> Tensor:
        """Standardised images `[num_images, 3, height, width]`."""
        return (pixels - self.mean) / self.scale  # type: ignore[operator]


def train_network(network: nn.Module, pixels: Tensor, targets: Tensor, *, seed: int, progress: Progress) -> None:
    """Trains a network in place; afterwards it has the weights of the epoch with the smallest validation error.

    Args:
        network: returns `[num_images, 1]`.
        pixels: `[num_images, 3, height, width]`.
        targets: `[num_images]`.
        seed: seed of the order, mirroring and dropout.
        progress: receives one step per epoch.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pixels))
    num_validation = max(1, round(VALIDATION_FRACTION * len(pixels)))
    validation, training = torch.from_numpy(order[:num_validation]), order[num_validation:]
    steps_per_epoch = math.ceil(len(training) / BATCH_SIZE)
    epochs = max(1, min(MAX_EPOCHS, MAX_STEPS // steps_per_epoch))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps_per_epoch)
    best_error, best_state, best_epoch = math.inf, copy.deepcopy(network.state_dict()), 0
    progress.start("training cnn", epochs)
    for epoch in range(epochs):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            _train_epoch(network, pixels, targets, rng.permutation(training), rng, optimizer, schedule)
        error = float((_evaluate(network, pixels[validation]) - targets[validation]).square().mean())
        progress.advance()
        if error < best_error:
            best_error, best_state, best_epoch = error, copy.deepcopy(network.state_dict()), epoch
        elif epoch - best_epoch >= PATIENCE_EPOCHS:
            break
    network.load_state_dict(best_state)


def _train_epoch(
    network: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    order: npt.NDArray[np.int64],
    rng: np.random.Generator,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> None:
    network.train()
    for indices in np.array_split(order, math.ceil(len(order) / BATCH_SIZE)):
        batch = pixels[torch.from_numpy(indices)]
        is_mirrored = torch.from_numpy(rng.random(len(indices)) < 0.5).to(batch.device)
        batch = torch.where(is_mirrored[:, None, None, None], batch.flip(3), batch)
        loss = functional.huber_loss(network(batch)[:, 0], targets[torch.from_numpy(indices)])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def _evaluate(network: nn.Module, pixels: Tensor) -> Tensor:
    """Outputs `[num_images]`, the mean of each image and its mirror image."""
    network.eval()
    with torch.inference_mode():
        both: Tensor = (network(pixels) + network(pixels.flip(3))) / 2
    return both[:, 0]
