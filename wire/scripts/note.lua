-- Adds states of a conversation to the index and removes outdated ones.
-- KEYS: the sorted set of all states. ARGV: prefix, then JSON: client, token, answer (the token's last one), ttl (s), limit
-- (most states kept), share (most of the client's), stale (states to remove where they are this token's) and states (to
-- add).
-- Returns 1.
local args = cjson.decode(ARGV[2])
local now, own = now_ms(), key('states', args.client)

-- The client's set may still name a state that made room for another client's: it is one of its oldest, and leaves first.
local function forget(state)
  redis.call('DEL', key('conversation', state))
  redis.call('ZREM', KEYS[1], state)
  redis.call('ZREM', own, state)
end

-- The oldest make room. A limit that was lowered takes effect bit by bit, since Redis serves nobody else meanwhile.
local function trim(set, limit)
  redis.call('ZREMRANGEBYSCORE', set, 0, now - args.ttl * 1000)
  local surplus = redis.call('ZCARD', set) - limit
  if surplus > 0 then
    for _, state in ipairs(redis.call('ZRANGE', set, 0, math.min(surplus, 100) - 1)) do forget(state) end
  end
  redis.call('EXPIRE', set, args.ttl)
end

for _, state in ipairs(args.stale) do
  local known = redis.call('GET', key('conversation', state))
  if known and known:match('%S+') == args.token then forget(state) end
end
for _, state in ipairs(args.states) do
  redis.call('SET', key('conversation', state), args.token .. ' ' .. args.answer, 'EX', args.ttl)
  redis.call('ZADD', KEYS[1], now, state)
  redis.call('ZADD', own, now, state)
end
trim(own, args.share)
trim(KEYS[1], args.limit)
return 1
