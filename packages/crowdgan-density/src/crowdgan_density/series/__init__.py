"""Density over time in frames of a fixed camera."""
