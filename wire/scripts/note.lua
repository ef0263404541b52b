-- Adds states of a conversation to the index and removes outdated ones.
-- KEYS: the sorted set of all states. ARGV: prefix, then JSON: token, answer (the token's last one), ttl (s), limit (most
-- states kept), stale (states to remove where they are this token's) and states (to add).
-- Returns 1.
local args = cjson.decode(ARGV[2])
local now = now_ms()

local function forget(state)
  redis.call('DEL', key('conversation', state))
  redis.call('ZREM', KEYS[1], state)
end

for _, state in ipairs(args.stale) do
  local known = redis.call('GET', key('conversation', state))
  if known and known:match('%S+') == args.token then forget(state) end
end
for _, state in ipairs(args.states) do
  redis.call('SET', key('conversation', state), args.token .. ' ' .. args.answer, 'EX', args.ttl)
  redis.call('ZADD', KEYS[1], now, state)
end
-- The oldest states make room. A limit that was lowered takes effect bit by bit, since Redis serves nobody else meanwhile.
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - args.ttl * 1000)
local surplus = redis.call('ZCARD', KEYS[1]) - args.limit
if surplus > 0 then
  for _, state in ipairs(redis.call('ZRANGE', KEYS[1], 0, math.min(surplus, 100) - 1)) do forget(state) end
end
redis.call('EXPIRE', KEYS[1], args.ttl)
return 1
