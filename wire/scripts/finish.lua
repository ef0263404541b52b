-- Ends a turn: writes the terminal event (unless the answer has ended already), saves the session, and lets the token's next
-- job wait for its turn.
-- KEYS: the token's hash. ARGV: prefix, then JSON: token, worker, fence (text), job, op (id), state, free (how many places
-- the worker has now), keeps (it still holds the token), session_ttl and answer_ttl (s), sent (questions sent in the saved
-- conversation, absent if the mark has counted them), seq (the last one that the worker knows), begins (the exchange begins
-- the transcript), transcript_limit (bytes), transcripts_limit (bytes of all tokens' ones), allowed (bytes that may be kept
-- in all), reports_reset (the event reports whether the conversation is another one), spent (the question was sent and not
-- refused); then, byte by byte, the event, the one ahead of it with the rest of the text ('' for none), the session ('' to
-- drop it) and the exchange ('' for none).
-- Returns 'more' (there are turns to take), 'idle', 'stale', or 'lost' (events ahead of the rest are: nothing is done).
local args, event, rest, session, exchange = cjson.decode(ARGV[2]), unpack(ARGV, 3, 6)
local token, worker, fence, job, op = args.token, args.worker, args.fence, args.job, args.op
local session_ttl, answer_ttl = args.session_ttl, args.answer_ttl

local done, is_holder, running, ending, reset, said, cut = held(token, worker, fence, op, 'reset', 'said', 'cut')
if done then return done end
if not is_holder or running ~= job then
  local ended = redis.call('HGET', key('job', job), 'state')
  if TERMINAL[ended] and ended ~= 'DONE' then forget_response_end(job) end
  return 'stale'
end

-- From so many bytes on an answer that its client leaves no room beside lasts for so many seconds only: a client may have a
-- hundred of megabytes each out at once, which would be all of the room for ten minutes.
local LARGE, BRIEFLY = 512 * 1024, 30

-- Returns for how long the answer is kept, in s.
local function answer_life()
  local bytes = 2 * #event
  if bytes < LARGE then return answer_ttl end
  local fields = redis.call('HMGET', key('job', job), 'client', 'weight', 'grown')
  local more = bytes - tonumber(fields[3] or ANSWER_BYTES)
  if leaves_room(fields[1] or '', tonumber(fields[2] or '1'), more, args.allowed) then return answer_ttl end
  return math.min(answer_ttl, BRIEFLY)
end

local seq, before = end_job(job, args.state, event, answer_life(), args.seq, args.spent, 2 * #event, rest)
if seq < 0 then return 'lost' end
local reset_reported = before.state == 'STOPPED'
if seq > 0 then
  reset_reported = args.reports_reset
  measure(before.accepted, session_ttl)
elseif before.state ~= 'DONE' then
  forget_response_end(job)
end
if before.state == 'STOPPED' then
  redis.call('SREM', key('stops', worker), job)
  -- The end of a stopped question that was out counts: it reports a reset, or the conversation continues with its text.
  if before.attempts then
    if stop_resets(job) then session = '' else exchange = partial_exchange(job, args.begins) end
  end
end
redis.call('HDEL', KEYS[1], 'running')
-- A conversation that is kept is no other one.
if reset and (reset_reported or session ~= '') then redis.call('HDEL', KEYS[1], 'reset') end
local saved, transcripts = {}, 0
if session == '' then
  drop_session(token)
else
  saved = { 'session', session, unpack(args.sent and { 'sent', args.sent } or {}) }
  -- Redis has lost what it was to continue; a conversation that moves to another account then lacks its beginning.
  if not args.begins and not said and exchange ~= '' then redis.call('HSET', KEYS[1], 'cut', '1') end
  local size = extend_transcript(token, exchange, args.begins and (said or cut), args.transcript_limit)
  redis.call('EXPIRE', key('transcript', token), session_ttl)
  transcripts = keep_transcript(token, size, session_ttl * 1000) or 0
end
redis.call('EXPIRE', KEYS[1], session_ttl)
redis.call('ZADD', key('kept'), 'XX', now_ms() + session_ttl * 1000, 'k:' .. token)
local waits = redis.call('EXPIRE', key('mailbox', token), session_ttl) == 1
set_free(worker, args.free)
local forgotten = false
if ending then
  disown(token)
  forgotten = forget_ending(token)
else
  if not args.keeps then disown(token) end
  if waits then enter(token) end
end
local more = redis.call('EXISTS', key('ring')) == 1 and 'more' or 'idle'
if not forgotten then remember(token, op, more, unpack(saved)) end
shed_transcripts(transcripts, args.transcripts_limit)
return more
