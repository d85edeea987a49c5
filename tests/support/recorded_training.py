"""Runs `crowdgan` with its arguments, and records the images that each rank reads for training.

Each process appends a line `RANK INDEX` per image to the file in the environment variable `READS_ENV_VAR`.
"""

from __future__ import annotations

import os
from pathlib import Path

from crowdgan_core.cli import main
from crowdgan_stylegan3.training.data import dataset
from crowdgan_stylegan3.training.data.sampler import DrawnImage

READS_ENV_VAR = "CROWDGAN_TEST_READS"


class RecordedDataset(dataset.ImageDataset):
    """A dataset that records its reads."""

    def __getitem__(self, drawn: DrawnImage) -> dataset.Batch:
        """One image, as in the class above."""
        with Path(os.environ[READS_ENV_VAR]).open("a") as file:
            file.write(f"{os.environ.get('RANK', '0')} {drawn[0]}\n")
        return super().__getitem__(drawn)


if __name__ == "__main__":
    from crowdgan_stylegan3.training import run

    run.ImageDataset = RecordedDataset  # type: ignore[misc]
    main()
