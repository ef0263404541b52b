-- Ends what has waited for too long, for gateways: also while no worker lives that would.
-- KEYS: the hash of gateways' looks. ARGV: prefix, answer ttl in s, for how many ms longer than it may a job must have
-- waited.
local now = now_ms()
local last = redis.call('HGET', KEYS[1], 'last')
if not last or now - tonumber(last) > LOOK_GAP_MS then redis.call('HSET', KEYS[1], 'since', now) end
redis.call('HSET', KEYS[1], 'last', now)
redis.call('PEXPIRE', KEYS[1], LOOK_GAP_MS)
sweep_overdue(tonumber(ARGV[2]), tonumber(ARGV[3]))
