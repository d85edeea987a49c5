"""The error tree. Every message says where, what was found, and what is allowed."""


class CrowdganError(Exception):
    """An error that a user can mend; the command line prints it as one line and exits with code 1."""


class ConfigError(CrowdganError, ValueError):
    """Options or settings that are wrong or make no sense together."""


class DatasetError(CrowdganError, ValueError):
    """Annotations, images or datasets that cannot be read or written."""


class DensityError(CrowdganError, ValueError):
    """A density that is asked for but not defined on the scene."""


class CheckpointError(CrowdganError, ValueError):
    """A model or training state that cannot be read."""


class TrainingError(CrowdganError, RuntimeError):
    """Training that cannot go on."""


class BuildError(CrowdganError, RuntimeError):
    """Native code that could not be built."""


class PluginError(CrowdganError, RuntimeError):
    """A plugin that breaks the contract, or two plugins that offer the same name."""
