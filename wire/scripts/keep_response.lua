-- Counts what was kept of a client's stored responses; its oldest ones make room. What is forgotten is deleted.
-- KEYS: the sorted set of the client's responses. ARGV: prefix, then JSON: client (its digest), answer (the response; '' for
-- none), begun and ended (the bytes of its input and of its end; absent for what isn't written now), used (earlier responses
-- that it continues from, the last one first: they live on as long), ttl (s) and all (bytes of all clients' together).
-- Returns 1; 0 if there is no room for the response, so that it is forgotten, or it has been deleted before its end came;
-- 2 if older ones have yet to make room: the caller repeats it with client, answer, ttl and all alone.
-- A repeat counts nothing twice.
local args, now = cjson.decode(ARGV[2]), now_ms()
local item, sizes, answer = 'r:' .. args.client, key('response_sizes', args.client), args.answer
-- In the order in which they are used, also within a ms.
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local expires = math.max(now + args.ttl * 1000, tonumber(newest or '0') + 1)
-- How many responses one call may forget: Redis serves nobody else meanwhile.
local MOST = 100
local before = tonumber((redis.call('HGET', key('sizes'), item) or '0'):match('^%d+'))
local total = before

local function parts(name)
  local begun, ended = (redis.call('HGET', sizes, name) or '0 0'):match('^(%d+) (%d+)$')
  return tonumber(begun), tonumber(ended)
end

local function count(name, begun, ended)
  local begun_before, ended_before = parts(name)
  redis.call('HSET', sizes, name, string.format('%d %d', begun, ended))
  total = total - begun_before - ended_before + begun + ended
end

local function forget(name)
  count(name, 0, 0)
  redis.call('HDEL', sizes, name)
  redis.call('ZREM', KEYS[1], name)
  redis.call('DEL', key('response', name), key('response_end', name))
end

-- Lets a response live on; those that it continues from are older, by their `age`.
local function use(name, age)
  redis.call('ZADD', KEYS[1], expires - age / 1000, name)
  redis.call('EXPIRE', key('response', name), args.ttl)
  redis.call('EXPIRE', key('response_end', name), args.ttl)
end

local function settle()
  if total > 0 then keep({ item, total }, 'responses', expires) else drop(item) end
  redis.call('EXPIRE', KEYS[1], args.ttl)
  redis.call('EXPIRE', sizes, args.ttl)
end

-- A client leaves as much room as it takes, so that who comes finds some.
local function has_room()
  return total <= (args.all - (bytes_of('responses') - before)) / 2
end

local function oldest()
  return redis.call('ZRANGE', KEYS[1], 0, 0)[1]
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, MOST)) do forget(name) end
for age, name in ipairs(args.used) do
  if redis.call('ZSCORE', KEYS[1], name) then use(name, age) end
end
local kept = 1
if args.begun or args.ended then
  local begun, ended = parts(answer)
  if not args.begun and redis.call('STRLEN', key('response', answer)) == 1 then
    redis.call('DEL', key('response_end', answer))
    kept = 0
  else
    count(answer, args.begun or begun, args.ended or ended)
    use(answer, 0)
  end
elseif answer ~= '' and not redis.call('ZSCORE', KEYS[1], answer) then
  -- Another response has made it go meanwhile.
  kept = 0
end
for _ = 1, MOST do
  local name = not has_room() and oldest()
  if not name or name == answer then break end
  forget(name)
end
if answer ~= '' and kept == 1 and not has_room() then
  if oldest() == answer then
    forget(answer)
    kept = 0
  else
    kept = 2
  end
end
settle()
return kept
