"""HTTP, server-sent events and WebSockets, as every protocol uses them."""
