-- Withdraws a job whose acceptance was never confirmed: it must not be sent, even if it arrives only after this.
-- KEYS: the job's hash. ARGV: prefix, job, answer ttl in s, for how many s the job may still be on its way,
-- attempt ('' for none). What another gateway has accepted under the same attempt, or adopted since, stays: whoever adopted
-- it last withdraws it.
-- Returns 1 if it will not be sent, 0 if it was sent already, or is about to be: unless that is taken back.
local function end_unsent(key_, job)
  local state = redis.call('HGET', key_, 'state')
  if state == 'QUEUED' or state == 'CLAIMED' then
    end_job(job, 'FAILED', ENDS.cancelled, tonumber(ARGV[3]))
    -- Nobody has its answer, so a request that is passed on only now asks afresh.
    if ARGV[5] ~= '' then redis.call('DEL', key('attempt', ARGV[5])) end
  elseif state == 'SENT' then
    redis.call('HSET', key_, 'withdrawn', ARGV[5])
  end
  return (state == 'SENT' or state == 'STREAMING') and 0 or 1
end

local other = ARGV[5] ~= '' and redis.call('GET', key('attempt', ARGV[5]))
if other and redis.call('HGET', key('job', other), 'adopted') == ARGV[2] then return end_unsent(key('job', other), other) end
local state, adopted = unpack(redis.call('HMGET', KEYS[1], 'state', 'adopted'))
if not state then
  -- enqueue takes what is there for a job that was accepted before.
  redis.call('HSET', KEYS[1], 'state', 'FAILED', 'seq', 0)
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  return 1
end
if adopted then return 0 end
return end_unsent(KEYS[1], ARGV[2])
