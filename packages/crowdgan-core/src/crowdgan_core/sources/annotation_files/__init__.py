"""Shared parts of sources with annotation files: finding images, checking boxes, collecting rows."""
