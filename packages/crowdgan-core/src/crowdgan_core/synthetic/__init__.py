"""Made-up crowds of known density: a random camera over a random crowd, drawn and annotated like CrowdHuman."""

from crowdgan_core.synthetic.download import SynthSettings, write_download

__all__ = ["SynthSettings", "write_download"]
