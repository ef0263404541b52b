-- Withdraws a job whose acceptance was never confirmed: it must not be sent, even if it arrives only after this.
-- KEYS: the job's hash. ARGV: prefix, job, answer ttl in s, for how many s the job may still be on its way.
-- Returns 1 if it will not be sent, 0 if it was sent already.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  -- enqueue takes what is there for a job that was accepted before.
  redis.call('HSET', KEYS[1], 'state', 'FAILED', 'seq', 0)
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  return 1
end
if state == 'QUEUED' or state == 'CLAIMED' then end_job(ARGV[2], 'FAILED', ENDS.cancelled, tonumber(ARGV[3])) end
return (state == 'SENT' or state == 'STREAMING') and 0 or 1
