"""Synthetic people: skeletons, body parts, clothes, and their projection into the image."""
