"""Files and encodings: atomic writes, ZIP archives, images, JSON."""
