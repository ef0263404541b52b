"""Submit questions, follow their answers, and drain: the same for every protocol."""
