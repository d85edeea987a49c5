"""Training: the recipe, its losses, one step of it, the loop around it, and what a run leaves on disk."""
