-- Measures the queue; writes nothing.
-- KEYS: the set of jobs that wait. ARGV: prefix.
-- Returns how many jobs wait, since when the oldest does (ms, 0 for none), in how many s the turn of one more is likely to
-- come, and the time (ms).
local length = redis.call('ZCARD', KEYS[1])
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { length, tonumber(oldest[2] or '0'), length > 0 and come_back('gap', length + 1) or 0, now_ms() }
