"""Measuring: which loads, one round of them, and the processes' CPU time and memory meanwhile."""
