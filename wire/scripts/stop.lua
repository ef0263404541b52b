-- Ends an answer because its reader wants no more of it. Leaves the mailbox and the lease alone: the worker that runs the
-- job finds it among its stop flags, hangs up upstream and finishes.
-- KEYS: the job's hash. ARGV: prefix, job, the event's bytes before and after the text, answer ttl in s, the
-- holder whose answer it must be ('' without an API key), '1' if it may be anybody's, the event's bytes after the text where
-- the conversation isn't reset.
-- Returns the state in which the answer has ended, now or before; nil if there is no such job of the holder's.
local job, before, after, answer_ttl, holder = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local fields = redis.call('HMGET', KEYS[1], 'state', 'token', 'holder', 'attempts', 'stateless')
local state, token = fields[1], fields[2]
if ARGV[7] ~= '1' and (fields[3] or '') ~= holder then return false end
if not state or TERMINAL[state] then return state end

-- Where the upstream remembers nothing the conversation continues: from what was sent, or from before what wasn't.
local function keeps_context()
  if fields[5] or fields[4] then return fields[5] end
  local conversation = redis.call('HMGET', key('token', token), 'session', 'stateless', 'reset')
  return conversation[1] and conversation[2] and not conversation[3]
end

if keeps_context() then after = ARGV[8] end
-- The text is put together here, since an answer that streams would outrun a caller that did it.
end_job(job, 'STOPPED', before .. cjson.encode(logged_text(job)) .. after, answer_ttl)

local running = redis.call('HMGET', key('token', token), 'running', 'owner')
if running[1] == job and running[2] then
  redis.call('SADD', key('stops', running[2]), job)
  redis.call('EXPIRE', key('stops', running[2]), answer_ttl)
end
return 'STOPPED'
