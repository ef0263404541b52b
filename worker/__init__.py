"""The worker: claims jobs, keeps sessions, asks the upstream and publishes answers."""
