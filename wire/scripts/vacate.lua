-- Frees the slots of a dead worker; their questions count as sent.
-- KEYS: the set of accounts. ARGV: prefix, worker.
local now, tail = now_ms(), ':' .. ARGV[2]
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  for _, place in ipairs(redis.call('ZRANGE', key('flight', name), 0, -1)) do
    if place:sub(-#tail) == tail then
      redis.call('ZREM', key('flight', name), place)
      count_as_asked(name, place, now)
    end
  end
end
