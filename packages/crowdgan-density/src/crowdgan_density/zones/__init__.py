"""Density in zones: polygons in the image or on the ground, groups, and squares of a grid."""
