-- Admits pictures that are about to be written, if there is room for all of them.
-- KEYS: the sorted set of the pictures that are kept. ARGV: prefix, then JSON: pictures (each `id size`, the size in bytes),
-- ttl (ms that they count), limit (bytes of all pictures together).
-- Returns 0, or in how many s the first of those that take the room expires. A repeat admits nothing twice.
local args = cjson.decode(ARGV[2])
local now, total = now_ms(), tonumber(redis.call('GET', key('picture_bytes')) or '0')

local function size(picture)
  return tonumber(picture:match(' (%d+)$'))
end

-- Bit by bit, since Redis serves nobody else meanwhile.
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', KEYS[1], expired)
  total = total - size(expired)
end
if redis.call('ZCARD', KEYS[1]) == 0 then total = 0 end

local wanted = 0
for _, picture in ipairs(args.pictures) do
  if not redis.call('ZSCORE', KEYS[1], picture) then wanted = wanted + size(picture) end
end
local refused = total + wanted > args.limit
if not refused then
  total = total + wanted
  for _, picture in ipairs(args.pictures) do redis.call('ZADD', KEYS[1], now + args.ttl, picture) end
end
-- The set and the sum live equally long, and longer than any picture in the set.
local lives = math.max(args.ttl, redis.call('PTTL', KEYS[1]))
if redis.call('PEXPIRE', KEYS[1], lives) == 1 then
  redis.call('SET', key('picture_bytes'), total, 'PX', lives)
else
  redis.call('DEL', key('picture_bytes'))
end
if not refused then return 0 end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return math.max(1, math.ceil(((tonumber(first[2] or '') or now) - now) / 1000))
