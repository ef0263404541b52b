-- Shared by the scripts of the account ledger; put between the prelude and each of them.

local DAY = 24 * 3600 * 1000

local function count_as_asked(name, slot, now)
  redis.call('ZADD', key('spent', name), 'NX', now, slot)
  redis.call('PEXPIRE', key('spent', name), DAY)
end

-- Counts the slots that an account's turns in flight take. A slot whose worker never reported the turn's end expires, and
-- its question counts as sent.
local function in_flight(name, now)
  local flight = key('flight', name)
  local slots = redis.call('ZCARD', flight)
  if slots == 0 then return 0 end
  local over = redis.call('ZRANGEBYSCORE', flight, '-inf', now)
  for _, slot in ipairs(over) do
    count_as_asked(name, slot, now)
    redis.call('ZREM', flight, slot)
  end
  return slots - #over
end

-- Counts the questions sent with the account within a day.
local function asked_today(name, now)
  return redis.call('ZCOUNT', key('spent', name), '(' .. now - DAY, '+inf')
end

-- Returns in how many ms the oldest of these expires; -1 if there is none.
local function forgotten_in(name, now)
  local oldest = redis.call('ZRANGEBYSCORE', key('spent', name), '(' .. now - DAY, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return oldest[2] and tonumber(oldest[2]) + DAY - now or -1
end

-- Returns what is noted of a client's failures at an account since its last success, nil if there is nothing: n of them, the
-- reason of the last one, until when (Unix ms) the client is asked elsewhere first, and whether one of them has counted.
local function read_blame(name, client)
  local entry = redis.call('HGET', key('blame', name), client)
  return entry and cjson.decode(entry) or nil
end

-- Ends an account's series of failures.
local function forget_failures(name)
  redis.call('HDEL', key('account', name), 'refused_for', 'refused_since', 'refused_last', 'blamed')
  redis.call('DEL', key('blame', name))
end

-- Appends an event to the audit log, which keeps about the last 500.
local function log_event(...)
  redis.call('XADD', key('events'), 'MAXLEN', '~', 500, '*', ...)
end

-- Records a change of an account's state: `since` is its time, and grows with each change.
local changed = false
local function note_change(account)
  changed = true
  local since = tonumber(redis.call('HGET', account, 'since') or '0')
  redis.call('HSET', account, 'since', math.max(now_ms(), since + 1))
end

local function enter(account, state)
  if redis.call('HGET', account, 'state') == state then return end
  redis.call('HSET', account, 'state', state)
  note_change(account)
end

-- Returns the fields by which the audit log describes an account's state.
local function standing(name)
  local fields = redis.call('HMGET', key('account', name), 'state', 'paused', 'until', 'reason')
  return 'name', name, 'state', fields[2] and 'paused' or fields[1], 'until', fields[3] or '0', 'reason', fields[4] or ''
end
