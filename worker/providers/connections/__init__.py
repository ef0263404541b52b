"""Connections to model servers: opened, lent for one request at a time, and reused where a server keeps them."""
