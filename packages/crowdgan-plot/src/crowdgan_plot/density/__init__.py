"""Overlays of density estimates on images."""
