"""The stand-in's other face: a server that speaks OpenAI's API under /v1, with the same words and the same ledger."""
