-- Writes something, however full Redis is: a WAIT behind it on the same connection then waits for all that was written before.
-- KEYS: the shard's marker. ARGV: prefix.
-- Returns 1.
redis.call('SET', KEYS[1], '', 'PX', 1000)
return 1
