-- Hands out turns to a worker with free places. Calls are numbered: what a lost reply had in it is handed out once more, and
-- a call that comes late takes nothing.
-- KEYS: what the worker took last, a hash. ARGV: prefix, worker, number, the number of the last reply that it has got, JSON:
-- free (its free places) and running (its turns of each client over the client's weight), answer ttl in s.
-- Returns the number of this reply, in how many ms to take again (-1: when the bell rings), and for each turn JSON: token,
-- fence, job, client, weight, session (if there is one), sent, reset, waited (ms), and behind it the job's work ('' if that
-- is a string of its own).
local worker, number, seen = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local places, answer_ttl = cjson.decode(ARGV[5]), tonumber(ARGV[6])
-- In how many ms to take again where Redis may have lost what others hold.
local UNSETTLED_MS = 200
if not settled(worker) then return { seen, UNSETTLED_MS } end

local function grant(token, job)
  local name, owner = token.name, token.owner
  if owner and owner ~= worker then redis.call('SREM', key('owned', owner), name) end
  redis.call('HSET', key('token', name), 'owner', worker, 'running', job)
  redis.call('SADD', key('owned', worker), name)
  return { name, job, tostring(redis.call('HINCRBY', key('token', name), 'fence', 1)) }
end

-- Adds a turn to the reply, as it is now.
local reply = { seen, -1 }
local function hand_out(token, job, fence, saved)
  saved = saved or redis.call('HMGET', key('token', token), 'session', 'sent', 'reset')
  local fields = redis.call('HMGET', key('job', job), 'client', 'short_work', 'weight', 'accepted')
  reply[#reply + 1] = cjson.encode({
    token = token,
    fence = tonumber(fence),
    job = job,
    client = fields[1] or '',
    weight = tonumber(fields[3] or '1'),
    session = saved[1] or cjson.null,
    sent = tonumber(saved[2] or '0'),
    reset = saved[3] == '1',
    waited = now_ms() - tonumber(fields[4] or now_ms()),
  })
  reply[#reply + 1] = fields[2] or ''
end

local took = redis.call('HMGET', KEYS[1], 'number', 'turns')
local stored = tonumber(took[1] or '0')
if stored > seen then
  for _, turn in ipairs(cjson.decode(took[2])) do
    local token, job, fence = unpack(turn)
    -- Not one that was taken from the worker since.
    if holds(token, worker, fence) and redis.call('HGET', key('token', token), 'running') == job then
      hand_out(token, job, fence)
    end
  end
  reply[1], reply[2] = stored, 0
  return reply
end
if number <= stored then return reply end
local turns, saved = {}, {}
while places.free > 0 do
  local token, job, client, weight, last = choose(worker, places, answer_ttl)
  if not token then
    reply[2] = job or -1
    break
  end
  turns[#turns + 1] = grant(token, job)
  saved[#turns] = token.saved
  places.free = places.free - 1
  places.running[client] = (places.running[client] or 0) + 1 / weight
  if last then break end
end
set_free(worker, places.free)
redis.call('HSET', KEYS[1], 'number', number, 'turns', cjson.encode(turns))
-- From then on the worker's beat renews it.
if stored == 0 then redis.call('EXPIRE', KEYS[1], answer_ttl) end
for at, turn in ipairs(turns) do hand_out(turn[1], turn[2], turn[3], saved[at]) end
reply[1] = number
return reply
