"""Annotated images: scenes, cameras, and transforms of images with their boxes."""
