"""General helpers without I/O: arrays, formatting, parallel maps, progress."""
