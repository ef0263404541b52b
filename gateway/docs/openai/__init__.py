"""The documentation of the OpenAI API."""
