-- Records how a turn ended at its account, and frees its slot.
-- KEYS: the account's hash. ARGV: prefix, then JSON: account, slot (job:attempt:worker), sent (its question was), fingerprint
-- of the cookie that it was sent with, outcome (ok, cooling, quarantined, dead, trouble, internal, refused, doubted, none),
-- reason, pause (for how many ms at least the account shall pause: cooling and doubted; for trouble, internal and refused
-- the first, shortest pause; for dead until a turn tries the account again, 0 if it waits for a person), and client (whose
-- turn it was: doubted counts clients).
-- Returns JSON: {"before", "state", "until", "since"}; "before" is the state until now.
local args = cjson.decode(ARGV[2])
local name, slot, sent, print = args.account, args.slot, args.sent, args.fingerprint
local outcome, reason, pause = args.outcome, args.reason, args.pause
local LONGEST, UNSENT_LONGEST, TOLERATED = 60 * 1000, 8 * 1000, 3
-- Of refusals that may pass by themselves, in ms: the longest pause, the longest time between two of one series, for how
-- long a series lasts before the account is dead, and how long a dead one waits until a turn tries it again.
local REFUSED_LONGEST, SERIES_GAP, ENDURED, TRIAL = 8 * 1000, 60 * 1000, 180 * 1000, 15 * 1000
local DOUBTERS = 3
local now = now_ms()
local fields = redis.call('HMGET', KEYS[1], 'state', 'until', 'fingerprint', 'failures', 'trial')
local before, back, failures = fields[1] or 'ready', tonumber(fields[2] or '0'), tonumber(fields[4] or '0')
local trial = tonumber(fields[5] or '')

local function reply()
  if changed then log_event('kind', 'account', 'before', before, standing(name)) end
  local state, since = unpack(redis.call('HMGET', KEYS[1], 'state', 'since'))
  return cjson.encode({ before = before, state = state or 'ready', ['until'] = back, since = tonumber(since or '0') })
end

local counts = redis.call('ZREM', key('flight', name), slot) == 1
if sent then count_as_asked(name, slot, now) end
-- A repeat changes nothing; nor does a turn with a cookie that was replaced meanwhile.
if not counts or fields[3] ~= print then return reply() end

-- Deadlines only move later; a turn that was out before doesn't end a state that waits for a person.
local function cool(ms)
  if before == 'quarantined' or before == 'dead' then return end
  back = math.max(back, now + ms)
  enter(KEYS[1], 'cooling')
  redis.call('HSET', KEYS[1], 'until', back, 'reason', reason)
end

-- Puts the account out of use; with `wait`, in ms, until a turn tries it again.
local function bury(wait)
  if before ~= 'dead' then
    enter(KEYS[1], 'dead')
    redis.call('HSET', KEYS[1], 'reason', reason)
  end
  if wait > 0 then redis.call('HSET', KEYS[1], 'trial', now + wait) end
end

-- Returns for how many ms the account has been refused for this same reason, with no turn that succeeded in between.
local function refused_for()
  local series = redis.call('HMGET', KEYS[1], 'refused_for', 'refused_since', 'refused_last')
  local since = tonumber(series[2] or now)
  if series[1] ~= reason or now - tonumber(series[3]) > SERIES_GAP then since = now end
  redis.call('HSET', KEYS[1], 'refused_for', reason, 'refused_since', since, 'refused_last', now)
  return now - since
end

-- Returns whether so many clients have got this outcome, with no turn that succeeded in between.
local function enough_doubt(client)
  local clients = cjson.decode(redis.call('HGET', KEYS[1], 'doubted_by') or '[]')
  for _, known in ipairs(clients) do
    if known == client then return false end
  end
  table.insert(clients, client)
  if #clients < DOUBTERS then
    redis.call('HSET', KEYS[1], 'doubted_by', cjson.encode(clients))
    return false
  end
  redis.call('HDEL', KEYS[1], 'doubted_by')
  return true
end

if outcome == 'ok' then
  redis.call('HSET', KEYS[1], 'succeeded', now, 'failures', 0)
  redis.call('HDEL', KEYS[1], 'refused_for', 'refused_since', 'refused_last', 'doubted_by')
  local returned = before == 'cooling' and back <= now or before == 'dead' and trial and trial <= now
  if returned then
    enter(KEYS[1], 'ready')
    redis.call('HDEL', KEYS[1], 'trial')
    redis.call('HSET', KEYS[1], 'reason', '')
  end
  return reply()
end
if outcome == 'none' then return reply() end
if outcome == 'doubted' then
  if not enough_doubt(args.client) then return reply() end
  outcome = 'cooling'
end
-- Turns that were out together fail together: what ends them is one failure.
if before ~= 'cooling' or back <= now then failures = redis.call('HINCRBY', KEYS[1], 'failures', 1) end
redis.call('HSET', KEYS[1], 'failed', now)
redis.call('HINCRBY', KEYS[1], 'failed:' .. reason, 1)
if outcome == 'cooling' then
  cool(pause)
elseif outcome == 'trouble' then
  -- Where nothing was sent, trying again costs nothing.
  cool(math.min(sent and LONGEST or UNSENT_LONGEST, pause * 2 ^ (failures - 1)))
elseif outcome == 'internal' then
  if failures >= TOLERATED then cool(math.min(LONGEST, pause * 2 ^ (failures - TOLERATED))) end
elseif outcome == 'refused' then
  if refused_for() >= ENDURED then bury(TRIAL) else cool(math.min(REFUSED_LONGEST, pause * 2 ^ (failures - 1))) end
elseif outcome == 'dead' then
  bury(pause)
elseif before ~= 'dead' then
  enter(KEYS[1], outcome)
  redis.call('HSET', KEYS[1], 'reason', reason)
end
if before == 'dead' and trial then redis.call('HSET', KEYS[1], 'trial', math.max(trial, now + TRIAL)) end
return reply()
