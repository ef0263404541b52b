"""Bing as its clients' libraries see it: create, the chat socket and the picture pages."""
