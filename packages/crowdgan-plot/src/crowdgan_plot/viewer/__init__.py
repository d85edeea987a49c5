"""Viewer of models, training runs, datasets and projections in the browser: the command `crowdgan view`."""
