"""API keys and addresses: who a client is."""
