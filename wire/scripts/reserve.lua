-- Chooses the account with the most room for a turn, and takes a slot of it.
-- KEYS: the set of accounts. ARGV: prefix, then JSON: slot (job:attempt:whose:worker), hold (ms), choices (pairs of an account and
-- its rank; the lowest that has room is taken), others (accounts whose return counts all the same), preferred (one of the
-- choices, or ''; taken if it has room, unless it has more than its share of the turns), patient (it may be waited for),
-- client (whose turn it is, or '': an account where its questions have failed comes last), weight (the client's), avoids (such an account isn't
-- taken at all), waited (ms since the turn began to look). A turn that looks again and again, and has waited for longer than
-- others by more than OVERTAKEN, gets the next place: else who hears first of the end of a turn would always be ahead of it.
-- Of the accounts in counted, of which there may be more than the choices, the room is counted up to enough; without any
-- choices that is all that is done.
-- A client gets no place of an account, or of all choices, while it has three times as many turns there, by its weight, as
-- there is room for: that is for others, whichever worker runs the turns.
-- Returns JSON: {"account"} or, if none has room, {"busy": a turn's end makes room, "returns": in how many ms the first one
-- returns by itself (-1: none does), "reason": why that one is away, "shared": the room is for other clients}; and "room": how many more turns the counted ones can
-- take now, enough at most; none if all are away, so that no turn's end makes room: a turn needn't wait to be refused.
local args = cjson.decode(ARGV[2])
local slot = args.slot
-- For how many ms a failure counts against an account, and how much more than its share the preferred one may have.
local REMEMBERED, TOLERANCE = 60000, 1.25
-- For how many ms a turn that waits may be overtaken, and after how many without a look it doesn't wait any more.
local OVERTAKEN, LOOKS_AGAIN = 1000, 1000
local now = now_ms()
local since = now - args.waited

-- Whether an account's next place is another turn's; `first` is that turn, since when it waits, and when it looked last.
local function is_due_to_other(first, first_since, looked)
  return first and first ~= slot and tonumber(looked) > now - LOOKS_AGAIN and tonumber(first_since) < since - OVERTAKEN
end

-- Notes that this turn waits for a place of an account, unless one does that came before it.
local function wait_for(name)
  local fields = redis.call('HMGET', key('account', name), 'first', 'first_since', 'first_looked')
  if fields[1] and fields[1] ~= slot and tonumber(fields[3]) > now - LOOKS_AGAIN and tonumber(fields[2]) <= since then return end
  redis.call('HSET', key('account', name), 'first', slot, 'first_since', since, 'first_looked', now)
end

-- The turns in flight of each account that was weighed and may be asked.
local flights = {}

-- Returns an account's load, most weighty part first; or false, in how many ms it returns (-1: not by itself), whether a
-- turn's end makes room, and why it is away.
local function weigh(name)
  local fields = redis.call('HMGET', key('account', name), 'state', 'until', 'paused', 'failures', 'weight', 'turns', 'daily', 'used', 'failed', 'reason', 'trial', 'blamed', 'first', 'first_since', 'first_looked')
  local state, back, weight, most = fields[1], tonumber(fields[2] or '0'), tonumber(fields[5] or '1'), tonumber(fields[6] or '0')
  if not state or fields[3] or state == 'quarantined' then return false, -1, false end
  local away = state == 'cooling' or state == 'dead'
  if state == 'dead' then
    if not fields[11] then return false, -1, false end
    back = tonumber(fields[11])
  end
  local flying = in_flight(name, now)
  flights[name] = flying
  local blamed = fields[12] and args.client ~= ''
  local own = blamed and read_blame(name, args.client) or nil
  if away then
    if back > now then return false, back - now, false, fields[10] end
    -- One turn tries it before all may; beside one whose client may be at fault another client's does.
    most = blamed and not own and most ~= 1 and 2 or 1
  end
  local sent = asked_today(name, now)
  local daily = tonumber(fields[7] or '0')
  if daily > 0 and sent + flying >= daily then return false, forgotten_in(name, now), flying > 0, 'account.throttled' end
  local due = most > 0 and is_due_to_other(fields[13], fields[14], fields[15]) and 1 or 0
  if most > 0 and flying + due >= most then return false, -1, true end
  local failing = now - tonumber(fields[9] or '0') < REMEMBERED and tonumber(fields[4] or '0') or 0
  if away then failing = -1 end
  local free = math.min(most > 0 and most - flying - due or math.huge, daily > 0 and daily - sent - flying or math.huge)
  return { own and own.back > now and own.n or 0, 0, failing, flying / weight, sent / weight, tonumber(fields[8] or '0'), free = free }
end

local weighed = {}
local function burden(name, rank)
  if not weighed[name] then weighed[name] = { weigh(name) } end
  local load, back, room, why = unpack(weighed[name], 1, 4)
  if load then load[2] = rank end
  return load, back, room, why
end

local function lighter(left, right)
  for at = 1, #left do
    if left[at] ~= right[at] then return left[at] < right[at] end
  end
  return false
end

-- Returns the room of the accounts that are counted, or nil.
local function count_room()
  local free, full = 0, false
  for _, name in ipairs(args.counted) do
    local load, _, busy = burden(name, 0)
    free, full = free + (load and load.free or 0), full or load or busy
    if free >= args.enough then return args.enough end
  end
  if full then return free end
end

-- Returns whose a slot is: a digest of its client; nil if it is nobody's.
local function whose(taken)
  return taken:match('^[^:]*:%d+:(%x+):')
end

local mine = whose(slot)

-- Returns whether what room these accounts have together is for other clients than this turn's.
local function is_for_others(names)
  local free, flying = 0, 0
  for _, name in ipairs(mine and names or {}) do
    local load = weighed[name][1]
    free, flying = free + (load and load.free or 0), flying + (flights[name] or 0)
  end
  local most = 3 * args.weight * free
  if free == 0 or flying < most then return false end
  local running = 0
  for _, name in ipairs(names) do
    for _, taken in ipairs(flights[name] and redis.call('ZRANGE', key('flight', name), 0, -1) or {}) do
      if whose(taken) == mine then running = running + 1 end
    end
  end
  return running >= most
end

-- Lets others overtake this turn, which has waited for a place of an account.
local function stand_aside(name)
  local account = key('account', name)
  if redis.call('HGET', account, 'first') == slot then redis.call('HDEL', account, 'first', 'first_since', 'first_looked') end
end

-- As `burden`; an account whose room is for other clients has none for this turn.
local shared = false
local function find_room(name, rank)
  local load, back, room, why = burden(name, rank)
  if not (load and is_for_others({ name })) then return load, back, room, why end
  shared = true
  stand_aside(name)
  return false, -1, false
end

local best, least, returns, busy, reason = false, false, -1, false, ''
local occupied = {}
local function holds_slot(name)
  return redis.call('ZSCORE', key('flight', name), slot)
end
local function take_note(load, back, why)
  if not load and back >= 0 and (returns < 0 or back < returns) then returns, reason = back, why or '' end
end
local function take(name)
  redis.call('ZADD', key('flight', name), now + args.hold, slot)
  redis.call('PEXPIRE', key('flight', name), DAY)
  redis.call('HSET', key('account', name), 'used', now)
  for _, choice in ipairs(args.waited > 0 and args.choices or {}) do stand_aside(choice[1]) end
  local load = burden(name, 0)
  load.free = load.free - 1
  return cjson.encode({ account = name, room = count_room() })
end

-- Returns whether one more turn leaves an account within its share of all that run, by weight.
local function has_share(name)
  local turns, weights, own = 1, 0, 1
  for _, choice in ipairs(args.choices) do
    local fields = redis.call('HMGET', key('account', choice[1]), 'state', 'paused', 'weight')
    local weight = tonumber(fields[3] or '1')
    if choice[1] == name then own = weight end
    if choice[1] == name or fields[1] == 'ready' and not fields[2] then
      turns = turns + in_flight(choice[1], now)
      weights = weights + weight
    end
  end
  return in_flight(name, now) + 1 <= math.ceil(TOLERANCE * turns * own / weights)
end

for _, choice in ipairs(args.choices) do
  if holds_slot(choice[1]) then return cjson.encode({ account = choice[1], room = count_room() }) end
end
local names = {}
for at, choice in ipairs(args.choices) do
  burden(unpack(choice))
  names[at] = choice[1]
end
if is_for_others(names) then
  for _, name in ipairs(names) do stand_aside(name) end
  return cjson.encode({ busy = true, shared = true, returns = -1, reason = '', room = count_room() })
end
if args.preferred ~= '' then
  local load, _, room = find_room(args.preferred, 0)
  if (load and load[1] == 0 or room) and has_share(args.preferred) then
    if load then return take(args.preferred) end
    if args.patient then return cjson.encode({ busy = true, returns = -1, reason = '', room = count_room() }) end
  end
end
for _, choice in ipairs(args.choices) do
  local name, rank = unpack(choice)
  local load, back, room, why = find_room(name, rank)
  if load and args.avoids and load[1] > 0 then load, back, room = false, -1, false end
  if load and (not least or lighter(load, least)) then best, least = name, load end
  take_note(load, back, why)
  busy = busy or room
  if room and not load then occupied[#occupied + 1] = name end
end
for _, name in ipairs(args.others) do
  if holds_slot(name) then return cjson.encode({ account = name, room = count_room() }) end
  local load, back, _, why = burden(name, 0)
  take_note(load, back, why)
end
if not best then
  for _, name in ipairs(occupied) do wait_for(name) end
  return cjson.encode({ busy = busy or shared, shared = shared, returns = returns, reason = reason, room = count_room() })
end
return take(best)
