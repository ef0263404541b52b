-- Counts the result of a call that is about to be written, for the client of its job.
-- KEYS: the job's hash. ARGV: prefix, job, bytes, for how many ms it is kept, bytes that may be kept in all.
-- Returns 1, or 0 if there is no room for it. A repeat counts nothing twice.
local item, bytes = 'b:' .. ARGV[2], tonumber(ARGV[3])
if redis.call('HEXISTS', key('sizes'), item) == 0 and bytes_of('all') + bytes > tonumber(ARGV[5]) then return 0 end
keep({ item, bytes }, ':' .. (redis.call('HGET', KEYS[1], 'client') or ''), now_ms() + tonumber(ARGV[4]))
return 1
