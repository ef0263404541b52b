"""One turn: routing, attempts, publishing, timeouts."""
