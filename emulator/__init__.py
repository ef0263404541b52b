"""A stateful emulator of Bing and of a server with OpenAI's API, with a ledger of everything that arrived."""
