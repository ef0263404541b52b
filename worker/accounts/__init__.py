"""The pool of accounts: files, bounds, ranking, penalties and alerts."""
