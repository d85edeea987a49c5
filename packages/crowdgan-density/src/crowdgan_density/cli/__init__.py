"""Commands of this distribution, one per file; importing them loads neither scipy nor rich."""
