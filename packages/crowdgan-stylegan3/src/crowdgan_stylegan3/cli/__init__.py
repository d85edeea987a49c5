"""Commands of `crowdgan stylegan3`, one file each, and `crowdgan train stylegan3`. Importing them loads no torch."""
