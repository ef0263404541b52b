-- Ends an answer because its reader wants no more of it. Leaves the mailbox and the lease alone: the worker that runs the
-- job finds it among its stop flags, hangs up upstream and finishes.
-- KEYS: the job's hash. ARGV: prefix, job, the event's bytes before and after the text, answer ttl in s, the
-- holder whose answer it must be ('' without an API key), '1' if it may be anybody's.
-- Returns the state in which the answer has ended, now or before; nil if there is no such job of the holder's.
local job, before, after, answer_ttl, holder = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local fields = redis.call('HMGET', KEYS[1], 'state', 'token', 'holder')
local state, token = fields[1], fields[2]
if ARGV[7] ~= '1' and (fields[3] or '') ~= holder then return false end
if not state or TERMINAL[state] then return state end

-- The text that readers have. Put together here, since an answer that streams would outrun a caller that did it.
local parts = {}
for _, entry in ipairs(redis.call('XRANGE', key('log', job), '-', '+')) do
  local event = cjson.decode(entry[2][2])
  if event.type == 'replace' then parts = {} end
  parts[#parts + 1] = event.text
end
end_job(job, 'STOPPED', before .. cjson.encode(table.concat(parts)) .. after, answer_ttl)

local running = redis.call('HMGET', key('token', token), 'running', 'owner')
if running[1] == job and running[2] then
  redis.call('SADD', key('stops', running[2]), job)
  redis.call('EXPIRE', key('stops', running[2]), answer_ttl)
end
return 'STOPPED'
