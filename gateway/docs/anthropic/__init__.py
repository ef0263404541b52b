"""The documentation of the Anthropic API."""
