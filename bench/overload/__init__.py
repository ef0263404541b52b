"""What becomes of clients when there are too many of them, or one that costs more than others."""
