"""Load clients: what they ask, how they read an answer, and what they record."""
