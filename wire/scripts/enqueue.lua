-- Accepts a job.
-- KEYS: the job's hash. ARGV: prefix, job, token, work, '1' to make the token if it is new, session ttl in s, queue limit.
-- Returns 'accepted' (also when this very job was accepted before), 'unknown' (no such token, or one that ends with its
-- running turn) or 'full'.
local job, token, work, create = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local session_ttl, limit = tonumber(ARGV[6]), tonumber(ARGV[7])
if redis.call('EXISTS', KEYS[1]) == 1 then return 'accepted' end
local known = redis.call('EXISTS', key('token', token)) == 1
if not known and not create then return 'unknown' end
if redis.call('HEXISTS', key('token', token), 'ending') == 1 then return 'unknown' end
local now = now_ms()
-- Jobs whose own keys have gone by now wait for nothing any more.
redis.call('ZREMRANGEBYSCORE', key('queued'), 0, now - session_ttl * 1000)
if redis.call('ZCARD', key('queued')) >= limit then return 'full' end

redis.call('HSET', KEYS[1], 'work', work, 'token', token, 'state', 'QUEUED', 'seq', 0, 'accepted', now)
redis.call('EXPIRE', KEYS[1], session_ttl)
redis.call('ZADD', key('queued'), now, job)
redis.call('RPUSH', key('mailbox', token), job)
redis.call('EXPIRE', key('mailbox', token), session_ttl)
redis.call('HSETNX', key('token', token), 'fence', 0)
redis.call('EXPIRE', key('token', token), session_ttl)
local running = redis.call('HEXISTS', key('token', token), 'running') == 1
local owner = redis.call('HGET', key('token', token), 'owner')
if not is_scheduled(token) and not (running and owner and alive(owner)) then schedule(token) end
return 'accepted'
