"""The Anthropic API: /v1/messages, and the list of models in its shape."""
