"""The load kit: what the path from upstream to client costs, measured on real processes beside a bare floor."""
