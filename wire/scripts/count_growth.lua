-- Counts an answer that grows, log and end, for the client of its job.
-- KEYS: the job's hash. ARGV: prefix, job, the bytes of the answer, bytes that may be kept in all.
-- Returns 1, or 0 if there is no room. What runs may take twice what is accepted: two thirds for a client alone.
local job, bytes = ARGV[2], tonumber(ARGV[3])
local fields = redis.call('HMGET', KEYS[1], 'state', 'client', 'weight', 'grown')
local grown, size = tonumber(fields[4] or ANSWER_BYTES), redis.call('HGET', key('sizes'), job)
-- One that has ended is counted as what it is.
if not size or not fields[1] or TERMINAL[fields[1]] or bytes <= grown then return 1 end
local client, more = fields[2] or '', bytes - grown
if not leaves_room(client, 2 * tonumber(fields[3] or '1'), more, tonumber(ARGV[4])) then return 0 end
redis.call('HSET', KEYS[1], 'grown', bytes)
keep({ job, tonumber(size:match('^%d+')) + more }, ':' .. client, redis.call('ZSCORE', key('kept'), job))
return 1
