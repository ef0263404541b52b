-- Returns the standing of an Idempotency-Key. Writes nothing, so that it is known also while Redis is full.
-- KEYS: the Idempotency-Key. ARGV: prefix, the key's name, the question's digest.
-- Returns a status and its detail, as enqueue does: 'existing', 'reused' or 'spent'; nil if the key is free.
return asked_before(ARGV[2], ARGV[3])
