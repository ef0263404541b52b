"""Servers with the OpenAI API."""
