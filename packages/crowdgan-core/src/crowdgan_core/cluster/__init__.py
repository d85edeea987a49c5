"""Work on a Dask cluster instead of the processes of this machine."""
