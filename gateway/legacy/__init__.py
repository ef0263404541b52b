"""The drop-in endpoints and the answers by id, in the old server's JSON."""
