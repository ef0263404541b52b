"""A stateful stand-in for Bing: create, ChatHub and images, with a ledger of all that really arrived."""
