"""The load kit: measure what the path from upstream to client costs, on real processes, beside a bare floor."""
