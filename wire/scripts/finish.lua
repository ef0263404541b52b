-- Ends a turn: the terminal event (unless the answer has ended already), the saved session, the mailbox's next job.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence, job, op id, state, event, session ('' to drop it),
-- '1' if this worker takes the next job, session ttl in s, answer ttl in s, questions sent in the
-- saved conversation ('' if the mark has counted them), the last seq that the worker knows of, what was asked and answered
-- ('' for nothing), '1' if that begins the conversation's transcript, how many characters a transcript may have, '1' if the
-- event tells whether the conversation is another one, '1' if the question was sent and not refused.
-- Returns JSON: {"status": "idle"}, {"status": "next", "kept", "job", "work", "sent", "waited" in ms}, {"status": "released"} or {"status": "stale"}.
local token, worker, fence, job, op = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local state, event, session, takes_more = ARGV[7], ARGV[8], ARGV[9], ARGV[10] == '1'
local session_ttl, answer_ttl = tonumber(ARGV[11]), tonumber(ARGV[12])

-- Adds to the transcript. What it can't hold is cut off at its beginning, for good.
local function note(exchange, begins, most)
  local transcript = key('transcript', token)
  if begins then
    redis.call('DEL', transcript)
    redis.call('HDEL', KEYS[1], 'said', 'cut')
  end
  redis.call('RPUSH', transcript, exchange)
  local said = redis.call('HINCRBY', KEYS[1], 'said', #exchange)
  while said > most do
    said = redis.call('HINCRBY', KEYS[1], 'said', -#redis.call('LPOP', transcript))
    redis.call('HSET', KEYS[1], 'cut', '1')
  end
end

local done = repeated(token, op)
if done then return done end
if not holds(token, worker, fence) then return '{"status":"stale"}' end
if redis.call('HGET', KEYS[1], 'running') ~= job then return '{"status":"stale"}' end

local before = redis.call('HMGET', key('job', job), 'state', 'attempts')
local told = before[1] == 'STOPPED'
if end_job(job, state, event, answer_ttl, tonumber(ARGV[14]), ARGV[19] == '1') > 0 then
  told = ARGV[18] == '1'
  measure(job, session_ttl)
end
-- Whoever stopped a question that was out was told that the conversation is reset.
if before[1] == 'STOPPED' and before[2] then session = '' end
redis.call('SREM', key('stops', worker), job)
redis.call('HDEL', KEYS[1], 'running')
-- A conversation that is kept is no other one.
if told or session ~= '' then redis.call('HDEL', KEYS[1], 'reset') end
if session == '' then
  drop_session(token)
else
  redis.call('HSET', KEYS[1], 'session', session)
  if ARGV[13] ~= '' then redis.call('HSET', KEYS[1], 'sent', ARGV[13]) end
  if ARGV[15] ~= '' then note(ARGV[15], ARGV[16] == '1', tonumber(ARGV[17])) end
end
redis.call('EXPIRE', key('transcript', token), session_ttl)
redis.call('EXPIRE', KEYS[1], session_ttl)
redis.call('EXPIRE', key('mailbox', token), session_ttl)

if redis.call('HEXISTS', KEYS[1], 'ending') == 1 then
  disown(token)
  forget_ending(token)
  return '{"status":"released"}'
end
if not takes_more then
  disown(token)
  if redis.call('EXISTS', key('mailbox', token)) == 1 then schedule(token) end
  return remember(token, op, '{"status":"released"}')
end
local following = next_job(token, worker, answer_ttl)
if not following then return remember(token, op, '{"status":"idle"}') end
return remember(token, op, cjson.encode({
  status = 'next',
  kept = session ~= '',
  job = following,
  work = redis.call('HGET', key('job', following), 'work'),
  sent = tonumber(redis.call('HGET', KEYS[1], 'sent') or '0'),
  waited = waited(following),
}))
