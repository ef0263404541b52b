-- Puts something that happened into the log of events.
-- KEYS: the stream of events. ARGV: prefix, then names and values.
log_event(unpack(ARGV, 2))
