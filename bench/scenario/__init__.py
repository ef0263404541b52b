"""Users of every kind at once, for locust: `make load`. Only the files of users need it installed."""
