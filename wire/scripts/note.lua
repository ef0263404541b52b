-- Notes where a conversation stands that its client tells in full each time, and forgets where it stood before.
-- KEYS: the sorted set of all states. ARGV: prefix, token, its last answer, ttl in s, how many states are kept at most, how
-- many of the following states are forgotten (only where they are this token's), those, and then the states to note.
-- Returns 1.
local token, answer, ttl, limit, stale = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now = now_ms()

local function forget(state)
  redis.call('DEL', key('conversation', state))
  redis.call('ZREM', KEYS[1], state)
end

for i = 7, 6 + stale do
  local known = redis.call('GET', key('conversation', ARGV[i]))
  if known and known:match('%S+') == token then forget(ARGV[i]) end
end
for i = 7 + stale, #ARGV do
  redis.call('SET', key('conversation', ARGV[i]), token .. ' ' .. answer, 'EX', ttl)
  redis.call('ZADD', KEYS[1], now, ARGV[i])
end
-- The oldest make room. Those whose time is over have gone by themselves. Redis serves nobody else meanwhile: a limit that
-- was lowered takes effect bit by bit.
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - ttl * 1000)
local surplus = redis.call('ZCARD', KEYS[1]) - limit
if surplus > 0 then
  for _, state in ipairs(redis.call('ZRANGE', KEYS[1], 0, math.min(surplus, 100) - 1)) do forget(state) end
end
redis.call('EXPIRE', KEYS[1], ttl)
return 1
