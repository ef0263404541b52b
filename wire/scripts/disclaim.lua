-- Takes away a token that Redis holds for a worker although the worker doesn't: that it gave the token back was lost, or how
-- its job ended.
-- KEYS: the token's hash. ARGV: prefix, token, worker, answer ttl in s.
local token, worker = ARGV[2], ARGV[3]
local found = redis.call('HMGET', KEYS[1], 'owner', 'running')
redis.call('SREM', key('owned', worker), token)
if found[1] ~= worker then return end
if found[2] then lose(token, found[2], tonumber(ARGV[4])) end
disown(token)
if not forget_ending(token) and redis.call('EXISTS', key('mailbox', token)) == 1 then schedule(token) end
