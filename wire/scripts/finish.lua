-- Ends a turn: writes the terminal event (unless the answer has ended already), saves the session, and lets the token's next
-- job wait for its turn.
-- KEYS: the token's hash. ARGV: prefix, then JSON: token, worker, fence (text), job, op (id), state, free (how many places
-- the worker has now), keeps (it still holds the token), session_ttl and answer_ttl (s), sent (questions sent in the saved
-- conversation, absent if the mark has counted them), seq (the last one that the worker knows), begins (the exchange begins
-- the transcript), transcript_limit (bytes), transcripts_limit (bytes of all tokens' ones), reports_reset (the event reports
-- whether the conversation is another one), spent (the question was sent and not refused); then, byte by byte, the event,
-- the session ('' to drop it) and the exchange ('' for none).
-- Returns 'more' (there are turns to take), 'idle', or 'stale'.
local args, event, session, exchange = cjson.decode(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local token, worker, fence, job, op = args.token, args.worker, args.fence, args.job, args.op
local session_ttl, answer_ttl = args.session_ttl, args.answer_ttl

local done = repeated(token, op)
if done then return done end
if not holds(token, worker, fence) or redis.call('HGET', KEYS[1], 'running') ~= job then
  local ended = redis.call('HGET', key('job', job), 'state')
  if TERMINAL[ended] and ended ~= 'DONE' then forget_response_end(job) end
  return 'stale'
end

local before = redis.call('HMGET', key('job', job), 'state', 'attempts')
local reset_reported = before[1] == 'STOPPED'
if end_job(job, args.state, event, answer_ttl, args.seq, args.spent, 2 * #event) > 0 then
  reset_reported = args.reports_reset
  measure(job, session_ttl)
elseif before[1] ~= 'DONE' then
  forget_response_end(job)
end
-- The end of a stopped question that was out counts: it reports a reset, or the conversation continues with its text.
if before[1] == 'STOPPED' and before[2] then
  if stop_resets(job) then session = '' else exchange = partial_exchange(job, args.begins) end
end
redis.call('SREM', key('stops', worker), job)
redis.call('HDEL', KEYS[1], 'running')
-- A conversation that is kept is no other one.
if reset_reported or session ~= '' then redis.call('HDEL', KEYS[1], 'reset') end
if session == '' then
  drop_session(token)
else
  redis.call('HSET', KEYS[1], 'session', session)
  if args.sent then redis.call('HSET', KEYS[1], 'sent', args.sent) end
  extend_transcript(token, exchange, args.begins, args.transcript_limit)
end
redis.call('EXPIRE', key('transcript', token), session_ttl)
if session ~= '' then keep_transcript(token, session_ttl * 1000) end
redis.call('EXPIRE', KEYS[1], session_ttl)
redis.call('ZADD', key('kept'), 'XX', now_ms() + session_ttl * 1000, 'k:' .. token)
redis.call('EXPIRE', key('mailbox', token), session_ttl)
shed_transcripts(args.transcripts_limit)

set_free(worker, args.free)
if redis.call('HEXISTS', KEYS[1], 'ending') == 1 then
  disown(token)
  forget_ending(token)
else
  if not args.keeps then disown(token) end
  enter(token)
end
local more = redis.call('EXISTS', key('ring')) == 1 and 'more' or 'idle'
if redis.call('EXISTS', KEYS[1]) == 0 then return more end
return remember(token, op, more)
