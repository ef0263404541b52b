-- Returns a token: it was idle for long, or its worker leaves. An unsent job returns to the front of the mailbox.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence, op id.
-- Returns 'released', 'busy' (a question is out, or its finish is due: the worker keeps the token) or 'stale'.
local token, worker, fence, op = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local done, is_holder, job = held(token, worker, fence, op)
if done then return done end
if not is_holder then return 'stale' end
if job then
  local state = redis.call('HGET', key('job', job), 'state')
  if state and state ~= 'CLAIMED' then return 'busy' end
  disown(token)
  if state then put_back(token, job) end
  enter(token, true)
else
  disown(token)
end
return remember(token, op, 'released')
