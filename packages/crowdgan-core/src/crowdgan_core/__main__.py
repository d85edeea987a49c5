"""The command `python -m crowdgan_core`, the same as `crowdgan`."""

from crowdgan_core.cli import main

main()
