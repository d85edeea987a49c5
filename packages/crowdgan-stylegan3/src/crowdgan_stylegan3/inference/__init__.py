"""Images and videos from trained generators."""
