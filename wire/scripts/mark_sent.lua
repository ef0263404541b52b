-- Writes the mark ahead of sending: from here on the question counts as sent.
-- KEYS: the token's hash. ARGV: prefix, then JSON: token, worker, fence (text), job, op (id), sent (questions sent in this
-- conversation with this one), fresh (the conversation is a new one), answer_ttl (s), stateless (absent where the upstream
-- remembers the conversation; else begins, limit: how its transcript would get an answer that breaks off); then, byte by
-- byte, the session to keep in that case, and the messages that the transcript gets ahead of the answer ('' above its
-- limit).
-- Returns 'sent', 'stale' (the lease is lost) or 'ended' (stopped, expired, or without followers: it must not be sent).
local args = cjson.decode(ARGV[2])
local token, worker, fence, job, op = args.token, args.worker, args.fence, args.job, args.op
local done, is_holder, _, _, session, token_stateless = held(token, worker, fence, op, 'session', 'stateless')
if not is_holder then return 'stale' end
local over, state, attempts, stateless = given_up(job, worker, args.answer_ttl)
if over then return 'ended' end
-- After these: a repeat that comes late must not allow what was lost in between.
if done then return done end
if state ~= 'CLAIMED' then return 'stale' end
local sent = { 'state', 'SENT', 'attempts', tonumber(attempts or '0') + 1 }
if args.stateless then
  -- The conversation is its transcript, and continues whatever becomes of this answer.
  redis.call('HSET', key('job', job), 'stateless', cjson.encode(args.stateless), 'asked', ARGV[4], unpack(sent))
  redis.call('HDEL', KEYS[1], 'reset')
  return remember(token, op, 'sent', 'sent', args.sent, 'session', ARGV[3], 'stateless', '1')
end
redis.call('HSET', key('job', job), unpack(sent))
if stateless then redis.call('HDEL', key('job', job), 'stateless', 'asked') end
if token_stateless then redis.call('HDEL', KEYS[1], 'stateless') end
if args.fresh and session then
  -- The next attempt must not continue the conversation that this one replaces, and must report that.
  redis.call('HDEL', KEYS[1], 'session')
  return remember(token, op, 'sent', 'sent', args.sent, 'reset', '1')
end
return remember(token, op, 'sent', 'sent', args.sent)
