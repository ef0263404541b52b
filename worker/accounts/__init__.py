"""The accounts of a worker: their files and formats, the pool, the order, penalties and alerts."""
