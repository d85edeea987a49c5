"""Images of runs, densities, datasets and spectra: a plugin of crowdgan."""
