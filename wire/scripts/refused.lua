-- Records that the upstream explicitly refused the question before any text: it may be sent once more.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence, job, op id of the mark that was refused, 'unsent' if it was
-- never sent.
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
if ARGV[7] and redis.call('HINCRBY', key('job', job), 'attempts', -1) <= 0 then redis.call('HDEL', key('job', job), 'attempts') end
return 'claimed'
