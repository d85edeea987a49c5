"""`python -m crowdgan_core` is `crowdgan`."""

from crowdgan_core.cli import main

main()
