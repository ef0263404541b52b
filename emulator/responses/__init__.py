"""The Responses API, as OpenAI serves it."""
