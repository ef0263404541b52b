"""The OpenAI API in front of the same questions and answers: what is under /v1."""
