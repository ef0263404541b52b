"""The installed application: the command `bing-chat-gateway`, and all in one process."""
