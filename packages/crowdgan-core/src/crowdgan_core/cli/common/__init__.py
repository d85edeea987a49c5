"""Building blocks of commands, shared by all packages: options, parameter types, output, progress bars."""
