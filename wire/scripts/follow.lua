-- Records that somebody waits for a job's answer, so that the job isn't cancelled before it is sent.
-- KEYS: the job's hash. ARGV: prefix, for how many ms this holds.
-- Returns 1 if the caller should repeat this in time, 0 if the job doesn't wait any more.
local fields = redis.call('HMGET', KEYS[1], 'state', 'followed_until')
if fields[1] ~= 'QUEUED' and fields[1] ~= 'CLAIMED' then return 0 end
if not fields[2] then return 0 end
redis.call('HSET', KEYS[1], 'followed_until', now_ms() + tonumber(ARGV[2]))
return 1
