"""HTML report of the densities of a source."""
