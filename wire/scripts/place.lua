-- Where a waiting job stands.
-- KEYS: the job's hash. ARGV: prefix, job.
-- Returns its position (1 is the next one) and in how many s its turn is likely to come; nil if it doesn't wait.
local rank = redis.call('ZRANK', key('queued'), ARGV[2])
if not rank then return false end
return { rank + 1, come_back('gap', rank + 1) }
