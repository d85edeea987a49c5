"""Layout of synthetic scenes: camera, crowd and light."""
