"""Connections to Redis: commands, scripts, pub/sub."""
