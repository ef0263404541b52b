-- Stores a process's status, and adds what it has counted since its last report; logs which processes start, drain, leave,
-- or went silent.
-- KEYS: the hash of processes. ARGV: prefix, then JSON: process (kind:id), number (of the report, text), state (up, draining
-- or gone), silence (ms after which a process is dead), shown (ms for which the dead are listed), minute_ttl (s), excluded
-- (the suffix of accounts' names that don't count) and counts (amounts by name); then the process's load, byte by byte.
-- Returns 1, or 0 for a repeat.
local args, facts = cjson.decode(ARGV[2]), ARGV[3]
local process, number, state, silence = args.process, args.number, args.state, args.silence
-- For how many ms a worker may not have announced an account that it has, and how often accounts are counted.
local UNSEEN, RECOUNT = 60000, 10000
local now = now_ms()

-- Parses an entry: the time of the last report, since when there was no gap, the report's number, and the state.
local function read(entry)
  local at, since, last, known = entry:match('^(%d+) (%d+) (%S+) (%a+)$')
  return tonumber(at), tonumber(since), last, known
end

local function log_state(what, who)
  local kind, id = who:match('^(%a+):(.*)$')
  log_event('kind', kind, 'name', id, 'state', what)
end

local function forget(who)
  redis.call('HDEL', KEYS[1], who)
  redis.call('HDEL', key('facts'), who)
end

-- Only a process that has reported without a gap may judge others: after a pause of Redis all must have had the chance.
local function check_others()
  local all = redis.call('HGETALL', KEYS[1])
  for index = 1, #all, 2 do
    local who = all[index]
    local at, since, last, known = read(all[index + 1])
    if now - at >= silence + args.shown then
      forget(who)
    elseif now - at >= silence and known ~= 'dead' then
      redis.call('HSET', KEYS[1], who, table.concat({ at, since, last, 'dead' }, ' '))
      log_state('dead', who)
    end
  end
end

-- Counts, now and then, the accounts that some worker has, and those of them that are ready.
local function count_accounts(minute)
  if now - tonumber(redis.call('HGET', minute, 'at') or '0') < RECOUNT then return end
  local accounts, ready = 0, 0
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', key('accounts'), now - UNSEEN, '+inf')) do
    if name:sub(-#args.excluded) ~= args.excluded then
      local fields = redis.call('HMGET', key('account', name), 'state', 'paused')
      accounts = accounts + 1
      if fields[1] == 'ready' and not fields[2] then ready = ready + 1 end
    end
  end
  redis.call('HSET', minute, 'at', now, 'accounts', accounts, 'ready', ready)
end

local entry = redis.call('HGET', KEYS[1], process)
local at, since, last, known
if entry then at, since, last, known = read(entry) end
if last == number then return 0 end

local minute = key('minute', string.format('%d', math.floor(now / 60000)))
count_accounts(minute)
for what, amount in pairs(args.counts) do redis.call('HINCRBY', minute, what, amount) end
redis.call('EXPIRE', minute, args.minute_ttl)

if state == 'gone' then
  if entry then log_state('gone', process) end
  forget(process)
  return 1
end
if not at or now - at >= silence then since = now end
redis.call('HSET', KEYS[1], process, table.concat({ now, since, number, state }, ' '))
redis.call('HSET', key('facts'), process, facts)
redis.call('EXPIRE', KEYS[1], args.minute_ttl)
redis.call('EXPIRE', key('facts'), args.minute_ttl)
if state ~= known then log_state(state, process) end
if now - since >= silence then check_others() end
return 1
