-- Counts what was kept of a client's calls; the oldest make room. What is forgotten is deleted.
-- KEYS: the sorted set of the client's calls. ARGV: prefix, then JSON: client (its digest), calls (each `name size`, the
-- size in bytes), ttl (s), limit (bytes of one client's), all (bytes of all clients' together) and most (calls of one
-- client).
-- Returns 1; 0 if all clients' have no room, so that these are forgotten. A repeat counts nothing twice.
local args, now = cjson.decode(ARGV[2]), now_ms()
local item = 'c:' .. args.client

local function parts(member)
  local name, size = member:match('^(%S+) (%d+)$')
  return name, tonumber(size)
end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local sizes, total = {}, 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local name, size = parts(member)
  sizes[name], total = size, total + size
end
local before, wanted = total, 0
for _, member in ipairs(args.calls) do
  local name, size = parts(member)
  wanted = wanted + size - (sizes[name] or 0)
end
if bytes_of('calls') + wanted > args.all then
  for _, member in ipairs(args.calls) do
    local name, size = parts(member)
    redis.call('DEL', key('call', name))
    if sizes[name] then redis.call('ZREM', KEYS[1], name .. ' ' .. sizes[name]) end
    total = total - (sizes[name] or 0)
  end
  if total > 0 then keep({ item, total }, 'calls', now + args.ttl * 1000) else drop(item) end
  return 0
end
-- In the order in which they came, also within a ms.
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local expires = math.max(now + args.ttl * 1000, tonumber(newest or '0') + 1)
for number, member in ipairs(args.calls) do
  local name, size = parts(member)
  if sizes[name] then redis.call('ZREM', KEYS[1], name .. ' ' .. sizes[name]) end
  redis.call('ZADD', KEYS[1], expires + number, member)
  total = total + size - (sizes[name] or 0)
  sizes[name] = size
end
local surplus = redis.call('ZCARD', KEYS[1]) - args.most
for number, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if number > surplus and total <= args.limit then break end
  local name, size = parts(member)
  redis.call('ZREM', KEYS[1], member)
  redis.call('DEL', key('call', name))
  total = total - size
end
redis.call('EXPIRE', KEYS[1], args.ttl)
if total > 0 then keep({ item, total }, 'calls', now + args.ttl * 1000) else drop(item) end
return 1
