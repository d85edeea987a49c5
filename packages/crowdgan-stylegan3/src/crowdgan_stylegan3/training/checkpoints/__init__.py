"""Checkpoints: saving and restoring training, transfer of weights, export of networks."""
