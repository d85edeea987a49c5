"""View of a projection: target, reconstruction, density edits and differences."""
