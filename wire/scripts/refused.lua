-- Records that the upstream explicitly refused the question before any text, or never got it: it may be sent once more. One
-- that never left, and was withdrawn meanwhile, ends.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence, job, op id of the mark that was refused, answer ttl in s if
-- it was never sent.
-- Returns 'claimed', 'stale' or 'ended'.
local token, worker, fence, job = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if not holds(token, worker, fence) then return 'stale' end
local state = redis.call('HGET', key('job', job), 'state')
if not state or TERMINAL[state] then return 'ended' end
if state == 'STREAMING' then return 'stale' end
-- A repeat that comes after the next mark must not undo that one.
if redis.call('HGET', KEYS[1], 'op') ~= ARGV[6] then return 'stale' end
if state == 'CLAIMED' then return 'claimed' end
redis.call('HSET', key('job', job), 'state', 'CLAIMED')
redis.call('HDEL', key('job', job), 'stateless', 'asked')
if not ARGV[7] then return 'claimed' end
if redis.call('HINCRBY', key('job', job), 'attempts', -1) <= 0 then redis.call('HDEL', key('job', job), 'attempts') end
local attempt = redis.call('HGET', key('job', job), 'withdrawn')
if not attempt then return 'claimed' end
end_job(job, 'FAILED', ENDS.cancelled, tonumber(ARGV[7]))
if attempt ~= '' then redis.call('DEL', key('attempt', attempt)) end
return 'claimed'
