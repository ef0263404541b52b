"""A server that speaks OpenAI's API under /v1, with the same directives and the same ledger as Bing."""
