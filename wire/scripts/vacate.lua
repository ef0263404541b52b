-- Frees the slots of a dead worker; their questions count as sent.
-- KEYS: the set of accounts. ARGV: prefix, worker.
local now, tail = now_ms(), ':' .. ARGV[2]
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  for _, slot in ipairs(redis.call('ZRANGE', key('flight', name), 0, -1)) do
    if slot:sub(-#tail) == tail then
      redis.call('ZREM', key('flight', name), slot)
      count_as_asked(name, slot, now)
    end
  end
end
