-- Says that a job has ended, since Redis may have lost its end: nobody may do it again.
-- KEYS: the job's hash. ARGV: prefix, job, token, the seq of its end, answer ttl in s.
local job, token = ARGV[2], ARGV[3]
local state = redis.call('HGET', KEYS[1], 'state')
-- Of one that is unknown it is known that its token's conversation is further than Redis has it.
if TERMINAL[state] then return end
redis.call('LREM', key('mailbox', token), 0, job)
lose(token, job, tonumber(ARGV[5]), tonumber(ARGV[4]) - 1)
