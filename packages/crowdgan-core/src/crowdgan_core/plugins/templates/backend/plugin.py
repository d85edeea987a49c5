import json

import numpy as np
from safetensors.numpy import load_file, save_file

from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.models.card import CARD_KEY, ModelCard, read_card


def write_model(path, colours):  # [num_classes, 3]
    classes = tuple(f"class {index}" for index in range(len(colours)))
    card = ModelCard(
        backend="example-plugin", resolution=(32, 32), label_dim=len(classes), label_kind="class", classes=classes
    )
    save_file({"colours": colours}, path, metadata={CARD_KEY: json.dumps(card.to_json())})


class ColourGenerator:
    supports_transform = False  # whether generate accepts translate and rotate_deg

    def __init__(self, path):
        self.card, self._colours = read_card(path), load_file(path)["colours"]

    def generate(self, seeds, labels, *, truncation_psi=1.0, translate=(0.0, 0.0), rotate_deg=0.0):
        if truncation_psi != 1 or translate != (0, 0) or rotate_deg != 0:
            raise ConfigError("the model supports neither truncation nor transforms")
        shape = (len(seeds), self.card.label_dim)
        if labels is None or labels.shape != shape or not np.isfinite(labels).all():
            raise ConfigError(f"labels must be finite numbers {list(shape)}")
        noise = [np.random.default_rng(seed).normal(0, 20, (*self.card.resolution, 3)) for seed in seeds]
        return np.clip((labels @ self._colours)[:, None, None] + noise, 0, 255).astype(np.uint8)


class ColourBackend:
    name = "example-plugin"

    def train_command(self):
        return None  # or a click.Command, which becomes `crowdgan train example-plugin`

    def can_load(self, path):
        return False  # True for a file without a model card that the backend can load

    def load_generator(self, path, device):
        return ColourGenerator(path)


@hookimpl
def crowdgan_register_model_backends():
    return [ColourBackend()]
