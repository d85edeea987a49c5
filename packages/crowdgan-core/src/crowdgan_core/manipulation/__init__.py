"""Manipulation of images: projection into the latent space of a generator, tuning, and density edits."""
