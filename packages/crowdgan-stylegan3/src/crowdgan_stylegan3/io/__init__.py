"""Model files: safetensors, and official snapshots read without unpickling."""
