"""Other people's programs beside ours, each installed in an environment of its own, before the same model server."""
