"""Networks and their layers, as inert records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crowdgan_stylegan3.io.pickle_reader.interpreter import Stateful
from crowdgan_stylegan3.io.pickle_reader.limits import refused, shown

RECORD_VERSION = 6
"""Version of the official networks' record; StyleGAN2-ADA and StyleGAN3 write the same."""


@dataclass(eq=False)
class ModuleRecord(Stateful):
    """Stands for a network or layer: the name of its class, and its attributes by name."""

    class_name: str
    attributes: Mapping[object, object] = field(default_factory=dict)

    def take_state(self, state: object) -> None:
        """Takes the attributes."""
        if not isinstance(state, dict):
            raise refused(f"the pickle gives a {shown(self.class_name)} {shown(state)} as its attributes")
        self.attributes = state


@dataclass(frozen=True)
class NamedConstant:
    """Stands for a thing of torch that is known by its name alone, such as `torch.float32`."""

    name: str


def rebuild_persistent(record: object = None) -> ModuleRecord:
    """Stands for `torch_utils.persistence._reconstruct_persistent_obj`; the source text in the record is let go.

    Raises:
        CheckpointError: the record is not as official networks have it.
    """
    match record:
        case {"type": "class", "version": int(version), "class_name": str(class_name), "state": dict(state)}:
            if version != RECORD_VERSION:
                raise refused(
                    f"the record of {shown(class_name)} has version {shown(version)}; it must be {RECORD_VERSION}"
                )
            return ModuleRecord(class_name, state)
    raise refused("the record of a network lacks its type, version, class name or state")
