"""Health, metrics, and the status reports for the console."""
