-- Stores a cookie export for whichever worker may write its folder.
-- KEYS: the set of names. ARGV: prefix, name, export, for how many ms it is kept, the operator ('' for the command line).
-- Returns 1, or 0 if too many exports wait.
local MOST = 16
local name, ttl = ARGV[2], ARGV[4]
for _, lapsed in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', key('export', lapsed)) == 0 then redis.call('SREM', KEYS[1], lapsed) end
end
if redis.call('SISMEMBER', KEYS[1], name) == 0 and redis.call('SCARD', KEYS[1]) >= MOST then return 0 end
-- An export that is sent again because a reply was lost is logged once.
if redis.call('GET', key('export', name)) ~= ARGV[3] then log_event('kind', 'export', 'name', name, 'by', ARGV[5]) end
redis.call('SET', key('export', name), ARGV[3], 'PX', ttl)
redis.call('SADD', KEYS[1], name)
redis.call('PEXPIRE', KEYS[1], ttl)
return 1
