"""Reports of training: statistics, status lines, timings, snapshots, sample grids, resource estimates."""
