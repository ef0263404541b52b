"""Servers that have Anthropic's Messages API."""
