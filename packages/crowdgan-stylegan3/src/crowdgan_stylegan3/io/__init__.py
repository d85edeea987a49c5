"""Model files: safetensors, and official snapshots without unpickling."""
