-- Records how a turn ended at its account, and frees its slot.
-- KEYS: the account's hash. ARGV: prefix, then JSON: account, slot (job:attempt:worker), sent (its question was),
-- fingerprint of the cookie that it was sent with, outcome (ok, cooling, quarantined, dead, trouble, internal, refused,
-- doubted, noted, none), reason, pause (for how many ms at least the account shall pause: cooling and doubted; for trouble,
-- internal and refused the first, shortest pause; for dead until a turn tries the account again, 0 if it waits for a
-- person), and client (whose question it was, if the failure may follow from it; '' for one that is the account's own). A
-- client's failure counts once in an account's row, and only when another client's question failed for the same reason;
-- noted never counts.
-- Returns JSON: {"before", "state", "until", "since"}; "before" is the state until now.
local args = cjson.decode(ARGV[2])
local name, slot, sent, print = args.account, args.slot, args.sent, args.fingerprint
local outcome, reason, pause = args.outcome, args.reason, args.pause
local LONGEST, UNSENT_LONGEST, TOLERATED = 60 * 1000, 8 * 1000, 3
-- Of refusals that may pass by themselves, in ms: the longest pause, the longest time between two of one series, for how
-- long a series lasts before the account is dead, and how long a dead one waits until a turn tries it again.
local REFUSED_LONGEST, SERIES_GAP, ENDURED, TRIAL = 8 * 1000, 60 * 1000, 180 * 1000, 15 * 1000
-- How many clients have to meet the same failure; how long a client is asked elsewhere first after its first one, and at
-- most (ms, doubled each time); and how many clients' failures are kept, for how long after the last.
local CLIENTS, DOUBTERS, AVOIDED, AVOIDED_LONGEST, ROW_MOST, ROW_KEPT = 2, 3, 60 * 1000, 3600 * 1000, 64, 2 * 3600 * 1000
local now = now_ms()
local fields = redis.call('HMGET', KEYS[1], 'state', 'until', 'fingerprint', 'failures', 'trial', 'since', 'refused_for', 'blamed')
local before, back, failures = fields[1] or 'ready', tonumber(fields[2] or '0'), tonumber(fields[4] or '0')
local trial = tonumber(fields[5] or '')

local function reply()
  local state, since = before, fields[6]
  if changed then
    log_event('kind', 'account', 'before', before, standing(name))
    state, since = unpack(redis.call('HMGET', KEYS[1], 'state', 'since'))
  end
  return cjson.encode({ before = before, state = state, ['until'] = back, since = tonumber(since or '0') })
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

-- Returns in how many clients' entries of the row the reason is the last one. Makes room for one more entry.
local function count_row(client)
  local row, size, alike, oldest = redis.call('HGETALL', key('blame', name)), 0, 0, false
  for at = 1, #row, 2 do
    local entry = cjson.decode(row[at + 1])
    size = size + 1
    if entry.reason == reason and row[at] ~= client then alike = alike + 1 end
    if row[at] ~= client and (not oldest or entry.at < oldest.at) then oldest = { name = row[at], at = entry.at } end
  end
  if size >= ROW_MOST and oldest then redis.call('HDEL', key('blame', name), oldest.name) end
  return alike
end

-- Notes a failure that may follow from its client's question, and returns whether it counts against the account. Turns that
-- were out together fail together: what ends the others is no further failure.
local function note_failure(client)
  local together = before == 'cooling' and back > now
  local entry = read_blame(name, client) or { n = 0, back = 0 }
  if now >= entry.back then
    entry.n = entry.n + 1
    entry.back = now + math.min(AVOIDED_LONGEST, AVOIDED * 2 ^ math.min(entry.n - 1, 6))
  end
  local needed = outcome == 'doubted' and DOUBTERS or CLIENTS
  local counting = count_row(client) + 1 >= needed and outcome ~= 'noted' and not together and not entry.counted
  entry.at, entry.counted = now, entry.counted or counting
  entry.reason = outcome == 'noted' and (entry.reason or '') or reason
  redis.call('HSET', key('blame', name), client, cjson.encode(entry))
  redis.call('PEXPIRE', key('blame', name), ROW_KEPT)
  redis.call('HSET', KEYS[1], 'blamed', 1)
  return counting
end

if outcome == 'ok' then
  redis.call('HSET', KEYS[1], 'succeeded', now, 'failures', 0)
  if fields[7] or fields[8] then forget_failures(name) end
  local returned = before == 'cooling' and back <= now or before == 'dead' and trial and trial <= now
  if returned then
    enter(KEYS[1], 'ready')
    redis.call('HDEL', KEYS[1], 'trial')
    redis.call('HSET', KEYS[1], 'reason', '')
  end
  return reply()
end
if outcome == 'none' then return reply() end
local by_question = args.client ~= ''
if by_question and not note_failure(args.client) then return reply() end
if outcome == 'doubted' then outcome = 'cooling' end
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
  local tolerated = by_question and 1 or TOLERATED
  if failures >= tolerated then cool(math.min(LONGEST, pause * 2 ^ (failures - tolerated))) end
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
