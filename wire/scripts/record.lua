-- Records how a turn ended at its account, and frees its slot.
-- KEYS: the account's hash. ARGV: prefix, account, slot (job:attempt:worker), '1' if its question was sent, fingerprint of the
-- cookie that it was sent with, outcome (ok, cooling, quarantined, dead, trouble, internal, none), reason, and for how many
-- ms at least the account shall pause (cooling; for trouble and internal the first, shortest pause).
-- Returns JSON: {"before", "state", "until", "since"}; "before" is the state until now.
local name, slot, sent, print = ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]
local outcome, reason, pause = ARGV[6], ARGV[7], tonumber(ARGV[8])
local LONGEST, TOLERATED = 60 * 1000, 3
local now = now_ms()
local fields = redis.call('HMGET', KEYS[1], 'state', 'until', 'fingerprint', 'failures')
local before, back, failures = fields[1] or 'ready', tonumber(fields[2] or '0'), tonumber(fields[4] or '0')

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

if outcome == 'ok' then
  redis.call('HSET', KEYS[1], 'succeeded', now, 'failures', 0)
  if before == 'cooling' and back <= now then
    enter(KEYS[1], 'ready')
    redis.call('HSET', KEYS[1], 'reason', '')
  end
  return reply()
end
if outcome == 'none' then return reply() end
failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('HSET', KEYS[1], 'failed', now)
redis.call('HINCRBY', KEYS[1], 'failed:' .. reason, 1)
if outcome == 'cooling' then
  cool(pause)
elseif outcome == 'trouble' then
  cool(math.min(LONGEST, pause * 2 ^ (failures - 1)))
elseif outcome == 'internal' then
  if failures >= TOLERATED then cool(math.min(LONGEST, pause * 2 ^ (failures - TOLERATED))) end
elseif before ~= 'dead' then
  enter(KEYS[1], outcome)
  redis.call('HSET', KEYS[1], 'reason', reason)
end
return reply()
