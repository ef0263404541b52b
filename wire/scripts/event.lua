-- Appends an event to the audit log.
-- KEYS: the stream of events. ARGV: prefix, then names and values.
log_event(unpack(ARGV, 2))
