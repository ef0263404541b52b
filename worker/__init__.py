"""Takes jobs, owns sessions, asks the upstream, publishes answers."""
