-- Adds one event to an answer.
-- KEYS: the job's hash. ARGV: prefix, token, worker, fence, job, the seq that this event must get, event, log ttl in s.
-- Returns the seq (the same for a repeat), -1 (the lease is lost), -2 (the answer has ended), -3 (events are missing:
-- the log was lost).
local token, worker, fence, job = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local expected, event = tonumber(ARGV[6]), ARGV[7]
if not holds(token, worker, fence) then return -1 end
local found = redis.call('HMGET', KEYS[1], 'state', 'seq')
if not found[1] then return -3 end
if TERMINAL[found[1]] then return -2 end
local seq = tonumber(found[2])
-- Only the holder of the fence appends before the end, one event at a time: an event that is there already is this one.
if seq >= expected then return expected end
if seq < expected - 1 then return -3 end
emit(job, expected, event)
redis.call('HSET', KEYS[1], 'state', 'STREAMING', 'seq', expected)
if expected == 1 then redis.call('EXPIRE', key('log', job), ARGV[8]) end
return expected
