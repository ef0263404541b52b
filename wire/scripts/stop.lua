-- Ends an answer because its reader wants no more of it. Leaves the mailbox and the lease alone: the worker that runs the
-- job finds it among its stop flags, hangs up upstream and finishes.
-- KEYS: the job's hash. ARGV: prefix, then JSON: job, answer_ttl (s), holder (whose answer it must be, '' without an API
-- key; absent if it may be anybody's), abandoned (its last reader has left: it is stopped only if nobody can ask for it
-- again, and, once it was sent, if the upstream remembers nothing); then, byte by byte, the event before the text and after
-- it, and after it where the conversation isn't reset.
-- Returns the state in which the answer has ended, now or before; nil if there is no such job of the holder's, or it goes
-- on.
local args, before, after = cjson.decode(ARGV[2]), ARGV[3], ARGV[4]
local job, answer_ttl = args.job, args.answer_ttl
local fields = redis.call('HMGET', KEYS[1], 'state', 'token', 'holder', 'attempts', 'stateless', 'idem')
local state, token = fields[1], fields[2]
if args.holder and (fields[3] or '') ~= args.holder then return false end
if not state or TERMINAL[state] then return state end
local is_out = state ~= 'QUEUED' and state ~= 'CLAIMED'
if args.abandoned and (fields[6] or (is_out and not fields[5])) then return false end

-- Where the upstream remembers nothing the conversation continues: from what was sent, or from before what wasn't.
local function keeps_context()
  if fields[5] or fields[4] then return fields[5] end
  local conversation = redis.call('HMGET', key('token', token), 'session', 'stateless', 'reset')
  return conversation[1] and conversation[2] and not conversation[3]
end

if keeps_context() then after = ARGV[5] end
-- The text is put together here, since an answer that streams would outrun a caller that did it.
local text, bytes = logged_text(job)
local event = before .. cjson.encode(text) .. after
end_job(job, 'STOPPED', event, answer_ttl, nil, nil, bytes and bytes + #event)

local running = redis.call('HMGET', key('token', token), 'running', 'owner')
if running[1] == job and running[2] then
  redis.call('SADD', key('stops', running[2]), job)
  redis.call('EXPIRE', key('stops', running[2]), answer_ttl)
  redis.call('PUBLISH', key('bell', running[2]), '1 ')
end
return 'STOPPED'
