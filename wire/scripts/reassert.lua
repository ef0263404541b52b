-- Restores what Redis holds of a worker's token, after it may have lost its last second, or everything. What the worker
-- knows wins, unless the token was passed to another since.
-- KEYS: the token's hash. ARGV: prefix, then JSON: token, worker, fence (text), job (that it runs, '' for none), sent (how
-- many questions were sent in its conversation with this one, 0 if it wasn't sent yet), seq (the last one that it has), first
-- (the seq of the first event that it has still and can append again, one more than the last if none), answer_ttl (s).
-- Returns the last seq of the job's log, behind which the worker appends again what it has (0 without a job), or -1: the
-- token isn't this worker's any more, or the job's answer can't continue (its end is written, if Redis still knows the job).
local args = cjson.decode(ARGV[2])
local token, worker, fence, job = args.token, args.worker, tonumber(args.fence), args.job
local sent, reached, answer_ttl = args.sent, args.seq, args.answer_ttl

local fields = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'running')
local owner, newest, running = fields[1], tonumber(fields[2] or '-1'), fields[3]
local state = job ~= '' and redis.call('HGET', key('job', job), 'state')
if newest < 0 or newest > fence or (newest == fence and owner ~= worker) then return -1 end
-- It is unknown or has ended, by its own finish perhaps, which may have handed out the next one.
if job ~= '' and TERMINAL[state] then return -1 end
if job ~= '' and not state then
  -- What was sent of it has taken the conversation further than Redis knows.
  lose(token, job, answer_ttl)
  return -1
end
if newest < fence then
  -- The grant was lost. That matters only to a job.
  if job == '' then return -1 end
  if owner then redis.call('SREM', key('owned', owner), token) end
  redis.call('HSET', KEYS[1], 'owner', worker, 'fence', fence)
  redis.call('SADD', key('owned', worker), token)
end
if running and running ~= job then lose(token, running, answer_ttl) end
if job == '' then
  enter(token)
  return 0
end
leave_line(token)
redis.call('LREM', key('mailbox', token), 0, job)
redis.call('ZREM', key('queued'), job)
redis.call('HSET', KEYS[1], 'running', job)
local known, whole = last_seq(job)
if known < math.min(reached, args.first - 1) or not whole then
  end_job(job, 'FAILED', ENDS.state_lost, answer_ttl, reached, true)
  return -1
end
if state == 'QUEUED' or state == 'CLAIMED' then
  redis.call('HSET', key('job', job), 'state', sent > 0 and 'SENT' or 'CLAIMED')
end
if sent > 0 then
  redis.call('HSETNX', key('job', job), 'attempts', 1)
  redis.call('HSET', KEYS[1], 'sent', sent)
end
return known
