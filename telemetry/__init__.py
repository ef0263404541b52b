"""Logs, traces and the start of every process."""
