"""The commands of this distribution, one per file; importing them does not load matplotlib."""
