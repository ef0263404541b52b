-- Takes a token from a worker that doesn't hold it although Redis has it so: the reply that handed it out, the release, or
-- the job's end was lost.
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
local job = fields[2]
local claim = job and redis.call('HMGET', key('job', job), 'state', 'claimed', 'attempts')
-- Redis has lost nothing since, and nothing of it is out: the worker has never got it, or it was refused.
local unsent = job and (claim[1] == 'CLAIMED' or not claim[3]) and tonumber(claim[2] or '0') >= began()
if job and not unsent then lose(token, job, tonumber(ARGV[5])) end
disown(token)
if unsent and claim[1] == 'CLAIMED' then put_back(token, job) end
if not forget_ending(token) then enter(token, unsent) end
