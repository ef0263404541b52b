"""The systems that are measured: our path, the baselines beside it, and their processes."""
