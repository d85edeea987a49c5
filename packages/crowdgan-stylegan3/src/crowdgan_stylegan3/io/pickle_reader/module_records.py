"""Networks and their layers as inert records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crowdgan_stylegan3.io.pickle_reader.interpreter import Stateful
from crowdgan_stylegan3.io.pickle_reader.limits import describe_value, refusal

RECORD_VERSION = 6
"""Version of the record of official networks; StyleGAN2-ADA and StyleGAN3 write the same version."""


@dataclass(eq=False)
class ModuleRecord(Stateful):
    """Replacement for a network or layer: the name of its class, and its attributes by name."""

    class_name: str
    attributes: Mapping[object, object] = field(default_factory=dict)

    def set_state(self, state: object) -> None:
        """Sets the attributes."""
        if not isinstance(state, dict):
            name, value = describe_value(self.class_name), describe_value(state)
            raise refusal(f"the pickle sets the attributes of a {name} to {value}; they must be a dict")
        self.attributes = state


@dataclass(frozen=True)
class NamedConstant:
    """Replacement for a constant of torch, such as `torch.float32`: its name."""

    name: str


def rebuild_persistent_object(record: object = None) -> ModuleRecord:
    """Replacement for `torch_utils.persistence._reconstruct_persistent_obj`; discards the source text in the record.

    Raises:
        CheckpointError: the record does not have the format of official networks.
    """
    match record:
        case {"type": "class", "version": int(version), "class_name": str(class_name), "state": dict(state)}:
            if version != RECORD_VERSION:
                name = describe_value(class_name)
                raise refusal(
                    f"the record of {name} has version {describe_value(version)}; it must be {RECORD_VERSION}"
                )
            return ModuleRecord(class_name, state)
    raise refusal("the record of a network has no valid type, version, class name or state")
