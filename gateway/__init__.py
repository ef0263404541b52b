"""The stateless front: HTTP, SSE and WebSocket in, jobs out, answers back."""
