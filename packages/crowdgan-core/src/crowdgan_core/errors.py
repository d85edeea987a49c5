"""Exception hierarchy. Each message gives the location, the value that was found, and the values that are allowed."""


class CrowdganError(Exception):
    """An error that the user can fix; the command line prints it as one line and exits with code 1."""


class ConfigError(CrowdganError, ValueError):
    """Options or settings that are invalid, alone or in combination."""


class DatasetError(CrowdganError, ValueError):
    """Annotations, images or datasets that cannot be read or written."""


class DensityError(CrowdganError, ValueError):
    """A density that was requested but is not defined for the scene."""


class CheckpointError(CrowdganError, ValueError):
    """A model or training checkpoint that cannot be read."""


class TrainingError(CrowdganError, RuntimeError):
    """Training that cannot continue."""


class BuildError(CrowdganError, RuntimeError):
    """Native code that could not be compiled."""


class PluginError(CrowdganError, RuntimeError):
    """A plugin that violates its contract, or a name conflict between two plugins."""
