-- Says how a process is, and adds what it has counted since it last did; tells the log of events who comes, drains, leaves,
-- or went silent.
-- KEYS: the hash of processes. ARGV: prefix, process (kind:id), the report's number, its state (up, draining or gone), facts,
-- after how many ms of silence a process is dead, for how many ms the dead are shown, ttl of a minute's counts in s, the ending
-- of those accounts' names that don't count, then names and amounts of what was counted.
-- Returns 1, or 0 for a repeat.
local process, number, state, facts = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local silence, shown, minute_ttl, ending = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
-- For how long a worker that has an account may not have said so, and how often accounts are counted, in ms.
local UNSEEN, RECOUNT = 60000, 10000
local now = now_ms()

-- When a process spoke last, since when without a gap, with which number, and how it stood.
local function read(entry)
  local at, since, last, stood = entry:match('^(%d+) (%d+) (%S+) (%a+)$')
  return tonumber(at), tonumber(since), last, stood
end

local function tell(what, who)
  local kind, id = who:match('^(%a+):(.*)$')
  log_event('kind', kind, 'name', id, 'state', what)
end

local function forget(who)
  redis.call('HDEL', KEYS[1], who)
  redis.call('HDEL', key('facts'), who)
end

-- Only who was heard all along may say that others were not: after a pause of Redis all must have had the chance.
local function look_at_others()
  local all = redis.call('HGETALL', KEYS[1])
  for place = 1, #all, 2 do
    local who = all[place]
    local at, since, last, stood = read(all[place + 1])
    if now - at >= silence + shown then
      forget(who)
    elseif now - at >= silence and stood ~= 'dead' then
      redis.call('HSET', KEYS[1], who, table.concat({ at, since, last, 'dead' }, ' '))
      tell('dead', who)
    end
  end
end

-- How many accounts some worker has, and how many of them may be asked; now and then.
local function count_accounts(minute)
  if now - tonumber(redis.call('HGET', minute, 'at') or '0') < RECOUNT then return end
  local accounts, ready = 0, 0
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', key('accounts'), now - UNSEEN, '+inf')) do
    if name:sub(-#ending) ~= ending then
      local found = redis.call('HMGET', key('account', name), 'state', 'paused')
      accounts = accounts + 1
      if found[1] == 'ready' and not found[2] then ready = ready + 1 end
    end
  end
  redis.call('HSET', minute, 'at', now, 'accounts', accounts, 'ready', ready)
end

local entry = redis.call('HGET', KEYS[1], process)
local at, since, last, stood
if entry then at, since, last, stood = read(entry) end
if last == number then return 0 end

local minute = key('minute', string.format('%d', math.floor(now / 60000)))
count_accounts(minute)
for place = 10, #ARGV, 2 do redis.call('HINCRBY', minute, ARGV[place], ARGV[place + 1]) end
redis.call('EXPIRE', minute, minute_ttl)

if state == 'gone' then
  if entry then tell('gone', process) end
  forget(process)
  return 1
end
if not at or now - at >= silence then since = now end
redis.call('HSET', KEYS[1], process, table.concat({ now, since, number, state }, ' '))
redis.call('HSET', key('facts'), process, facts)
redis.call('EXPIRE', KEYS[1], minute_ttl)
redis.call('EXPIRE', key('facts'), minute_ttl)
if state ~= stood then tell(state, process) end
if now - since >= silence then look_at_others() end
return 1
