-- Deletes the result of a call.
-- KEYS: the result. ARGV: prefix, job.
-- Returns 1.
redis.call('DEL', KEYS[1])
drop('b:' .. ARGV[2])
return 1
