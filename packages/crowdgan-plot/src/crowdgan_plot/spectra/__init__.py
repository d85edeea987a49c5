"""Average power spectra of images."""
