-- Admits pictures that are about to be written, if there is room for all of them.
-- KEYS: the sorted set of the pictures that are kept. ARGV: prefix, then JSON: pictures (each `id size`, the size in bytes),
-- client (whose they are), ttl (ms that they count), limit (bytes of all pictures together), share (bytes of one client's).
-- Returns 0, or in how many s the first of those that take the room expires. A repeat admits nothing twice.
local args, sums = cjson.decode(ARGV[2]), key('picture_sums')
local now = now_ms()

local function bytes(of)
  return tonumber(redis.call('HGET', sums, of) or '0')
end

-- Adds to the sum of all and to that of a client, whose name begins with a colon.
local function add(size, client)
  redis.call('HINCRBY', sums, 'all', size)
  if redis.call('HINCRBY', sums, client, size) <= 0 then redis.call('HDEL', sums, client) end
end

local function parts(picture)
  local size, client = picture:match('^%S+ (%d+) (:.*)$')
  return tonumber(size), client
end

-- Bit by bit, since Redis serves nobody else meanwhile.
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', KEYS[1], expired)
  local size, client = parts(expired)
  add(-size, client)
end
if redis.call('ZCARD', KEYS[1]) == 0 then redis.call('DEL', sums) end

local client, new, wanted = ':' .. args.client, {}, 0
for _, picture in ipairs(args.pictures) do
  local member = picture .. ' ' .. client
  if not redis.call('ZSCORE', KEYS[1], member) then
    table.insert(new, member)
    wanted = wanted + parts(member)
  end
end
local refused = bytes('all') + wanted > args.limit or bytes(client) + wanted > args.share
if not refused then
  for _, member in ipairs(new) do
    redis.call('ZADD', KEYS[1], now + args.ttl, member)
    add((parts(member)), client)
  end
end
-- The set and the sums live equally long, and longer than any picture in the set.
local lives = math.max(args.ttl, redis.call('PTTL', KEYS[1]))
if redis.call('PEXPIRE', KEYS[1], lives) == 1 then redis.call('PEXPIRE', sums, lives) else redis.call('DEL', sums) end
if not refused then return 0 end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return math.max(1, math.ceil(((tonumber(first[2] or '') or now) - now) / 1000))
