"""Made-up crowds of known density: a random camera over a random crowd, drawn and annotated like CrowdHuman."""

from crowdgan_core.synthetic.writer import SyntheticConfig, write_synthetic_dataset

__all__ = ["SyntheticConfig", "write_synthetic_dataset"]
