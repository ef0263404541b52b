"""The WebSocket subprotocol bing-chat.v2."""
