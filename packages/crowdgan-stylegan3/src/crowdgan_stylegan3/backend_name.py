"""The name of the model backend; its own module, so that listing commands imports nothing else."""

BACKEND_NAME = "stylegan3"
"""Name of the model backend: `crowdgan train stylegan3`, and the key `backend` of model cards."""
