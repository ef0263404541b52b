-- The write-ahead mark: from here on the question counts as asked.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence, job, op id, questions sent in this conversation with this
-- one, '1' if the conversation is a fresh one, answer ttl in s.
-- Returns 'sent', 'stale' (the lease is lost) or 'ended' (stopped, expired, or nobody waits for it any more: it must not
-- be asked).
local token, worker, fence, job, op = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local sent, fresh = ARGV[7], ARGV[8] == '1'
if not holds(token, worker, fence) then return 'stale' end
if given_up(job, worker, tonumber(ARGV[9])) then return 'ended' end
-- After these: a repeat that comes late must not allow what was lost in between.
local done = repeated(token, op)
if done then return done end
if redis.call('HGET', key('job', job), 'state') ~= 'CLAIMED' then return 'stale' end
redis.call('HSET', key('job', job), 'state', 'SENT')
redis.call('HINCRBY', key('job', job), 'attempts', 1)
if fresh then
  -- Whoever takes over from here must not go on with the conversation that this one replaces, and must say so.
  if redis.call('HDEL', KEYS[1], 'session') == 1 then redis.call('HSET', KEYS[1], 'reset', '1') end
end
redis.call('HSET', KEYS[1], 'sent', sent)
return remember(token, op, 'sent')
