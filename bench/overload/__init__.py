"""Overload: more questions than the path carries, and expensive neighbours for ordinary streams."""
