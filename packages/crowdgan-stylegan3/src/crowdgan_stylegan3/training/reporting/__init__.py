"""Reports of training: statistics, status lines, snapshots, sample grids."""
