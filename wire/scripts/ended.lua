-- Reports that a job has ended, since Redis may have lost its end: nobody may run it again.
-- KEYS: the job's hash. ARGV: prefix, job, token, the seq of its end, answer ttl in s.
local job, token = ARGV[2], ARGV[3]
local state = redis.call('HGET', KEYS[1], 'state')
-- An unknown job has taken its token's conversation further than Redis knows.
if TERMINAL[state] then return end
redis.call('LREM', key('mailbox', token), 0, job)
lose(token, job, tonumber(ARGV[5]), tonumber(ARGV[4]) - 1)
enter(token)
