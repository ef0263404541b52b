-- Ends a job that waited too long.
-- KEYS: the job's hash. ARGV: prefix, job, the event up to the seconds after which to retry, the event after them,
-- answer ttl in s.
-- Returns 1 if it was still waiting and has ended now, else 0.
if redis.call('HGET', KEYS[1], 'state') ~= 'QUEUED' then return 0 end
local event = ARGV[3] .. come_back('gap', redis.call('LLEN', key('ring'))) .. ARGV[4]
end_job(ARGV[2], 'FAILED', event, tonumber(ARGV[5]))
return 1
