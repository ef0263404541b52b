-- Lets a turn try a dead account again, in so many ms at the latest. Changes nothing for an account in another state.
-- KEYS: the account's hash. ARGV: prefix, ms.
if redis.call('HGET', KEYS[1], 'state') ~= 'dead' then return 0 end
local at = now_ms() + tonumber(ARGV[2])
local trial = tonumber(redis.call('HGET', KEYS[1], 'trial') or '')
if not trial or trial > at then redis.call('HSET', KEYS[1], 'trial', at) end
return 1
