"""The plugin system: discovery, validation, and the registry of installed plugins."""
