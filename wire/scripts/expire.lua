-- Ends a job that waited too long.
-- KEYS: the job's hash. ARGV: prefix, job, event, answer ttl in s.
-- Returns 1 if it was still waiting and has ended now, else 0.
if redis.call('HGET', KEYS[1], 'state') ~= 'QUEUED' then return 0 end
end_job(ARGV[2], 'FAILED', ARGV[3], tonumber(ARGV[4]))
return 1
