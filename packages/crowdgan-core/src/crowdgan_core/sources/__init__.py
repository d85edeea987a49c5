"""Readers of input images and their annotations."""
