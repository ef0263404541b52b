-- Appends one event to an answer. Runs with every delta, and therefore without the prelude and with positional arguments.
-- KEYS: the job's hash. ARGV: prefix, token, worker, fence, job, the seq that this event must get, event, log ttl in s.
-- Returns the seq (the same for a repeat), -1 (the lease is lost), -2 (the answer has ended), -3 (events are missing:
-- the log was lost).
local prefix, job, event = ARGV[1], ARGV[5], ARGV[7]
local lease = redis.call('HMGET', prefix .. NAMES.token .. ARGV[2], 'owner', 'fence')
if lease[1] ~= ARGV[3] or lease[2] ~= ARGV[4] then return -1 end
local fields = redis.call('HMGET', KEYS[1], 'state', 'seq')
local state, seq, expected = fields[1], tonumber(fields[2]), tonumber(ARGV[6])
if not state then return -3 end
if state == 'DONE' or state == 'FAILED' or state == 'STOPPED' then return -2 end
-- Only the holder of the fence appends before the end, one event at a time: an event that is there already is this one.
if seq >= expected then return expected end
if seq < expected - 1 then return -3 end
local log = prefix .. NAMES.log .. job
redis.call('XADD', log, expected .. '-0', 'e', event)
redis.call('PUBLISH', prefix .. NAMES.channel .. job, expected .. ' ' .. event)
if expected == 1 then
  redis.call('HSET', KEYS[1], 'state', 'STREAMING', 'seq', 1)
  redis.call('EXPIRE', log, ARGV[8])
else
  redis.call('HSET', KEYS[1], 'seq', expected)
end
return expected
