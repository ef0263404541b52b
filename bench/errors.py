"""The error that ends a run of the bench."""


class BenchError(Exception):
    """One sentence on what keeps the bench from measuring."""
