-- Records that a job waits for an account's return.
-- KEYS: the token's hash. ARGV: prefix, token, worker, fence, job, in how many ms the account returns.
-- Returns 'noted' or 'stale'.
if not holds(ARGV[2], ARGV[3], ARGV[4]) then return 'stale' end
redis.call('HSET', key('job', ARGV[5]), 'returns', now_ms() + tonumber(ARGV[6]))
return 'noted'
