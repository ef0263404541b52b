-- Turns a schedule entry into the right to work on a token: acknowledges the entry, takes the lease and the next job.
-- KEYS: the token's hash. ARGV: prefix, token, worker, op id, stream, group, entry id, answer ttl in s.
-- Returns JSON: {"status": "claimed", "fence", "job", "session"?, "sent", "reset", "waited" in ms}, and behind it the job's work
-- ('' if that is a string of its own); or a status alone:
-- "nothing" (no work, or another live worker has it), "wait" (the owner's fate is not known yet, or
-- Redis may have lost what others hold; the entry remains pending).
local token, worker, op = ARGV[2], ARGV[3], ARGV[4]
local stream, group, entry = ARGV[5], ARGV[6], ARGV[7]
local answer_ttl = tonumber(ARGV[8])

-- Whether the entry was still to be claimed. A call that comes when it was already, late and for nobody, must not take
-- the work that has come since.
local function acknowledge()
  if redis.call('XACK', stream, group, entry) == 0 then return false end
  redis.call('XDEL', stream, entry)
  return true
end

local done = repeated_with_work(token, op)
if done then return done end
if not alive(worker) or not settled(worker) then return '{"status":"wait"}' end

local owner = redis.call('HGET', KEYS[1], 'owner')
local dead = owner and owner ~= worker and not alive(owner)
if dead and not may_judge(worker) then return '{"status":"wait"}' end
if not acknowledge() then return '{"status":"nothing"}' end
if dead then
  reap_token(token, answer_ttl)
  owner = false
end
redis.call('HDEL', KEYS[1], 'scheduled')
if owner and owner ~= worker then
  -- The hint belongs to the worker that holds the token.
  if redis.call('HEXISTS', KEYS[1], 'running') == 0 and redis.call('EXISTS', key('mailbox', token)) == 1 then
    schedule(token)
  end
  return '{"status":"nothing"}'
end
if owner and redis.call('HEXISTS', KEYS[1], 'running') == 1 then return '{"status":"nothing"}' end
if redis.call('EXISTS', KEYS[1]) == 0 then return '{"status":"nothing"}' end

local job = next_job(token, worker, answer_ttl)
if not job then
  -- It was to end with a job that went back, and that has ended without a turn.
  if forget_ending(token) and owner then redis.call('SREM', key('owned', worker), token) end
  return '{"status":"nothing"}'
end
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'owner', worker)
redis.call('SADD', key('owned', worker), token)
local saved = redis.call('HMGET', KEYS[1], 'session', 'sent', 'reset')
return with_work(remember(token, op, cjson.encode({
  status = 'claimed',
  fence = fence,
  job = job,
  session = saved[1] or cjson.null,
  sent = tonumber(saved[2] or '0'),
  reset = saved[3] == '1',
  waited = waited(job),
})), job)
