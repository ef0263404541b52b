-- Takes a token from a worker that doesn't hold it although Redis has it so: the release, or the job's end, was lost.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence that the token had when the worker found out, answer ttl in s.
local token, worker, fence = ARGV[2], ARGV[3], ARGV[4]
local fields = redis.call('HMGET', KEYS[1], 'owner', 'running', 'fence')
if fields[1] ~= worker then
  redis.call('SREM', key('owned', worker), token)
  return
end
-- The worker has got it anew since.
if fields[3] ~= fence then return end
redis.call('SREM', key('owned', worker), token)
if fields[2] then lose(token, fields[2], tonumber(ARGV[5])) end
disown(token)
if not forget_ending(token) and redis.call('EXISTS', key('mailbox', token)) == 1 then schedule(token) end
