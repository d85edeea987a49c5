"""Rendering of synthetic scenes: ground, scenery, sky, people, compositing."""
