-- Returns the queue position of a job.
-- KEYS: the job's hash. ARGV: prefix, job.
-- Returns its position (1 is the next one; 0: it waits for an account's return) and in how many s its turn is likely to
-- come; nil if it doesn't wait.
local rank = redis.call('ZRANK', key('queued'), ARGV[2])
if not rank then
  local fields = redis.call('HMGET', KEYS[1], 'state', 'returns')
  if fields[1] ~= 'CLAIMED' or not fields[2] then return false end
  return { 0, math.max(1, math.ceil((tonumber(fields[2]) - now_ms()) / 1000)) }
end
return { rank + 1, come_back('gap', rank + 1) }
