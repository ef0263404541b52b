-- Accepts a job.
-- KEYS: the job's hash. ARGV: prefix, then JSON: job, token, create (make the token if it is new), session_ttl (s),
-- queue_limit, mailbox_limit, store_bytes and client_bytes (that may be kept, of all and of one client), client ('' if it is
-- not counted), client_limit, weight (turns of the client's in one visit of the ring), daily (how many questions it may ask
-- in a day; absent if as many as it likes), holder (of the token, '' if anybody may use it), idem (the Idempotency-Key's
-- name, '' for none), question (its digest), idem_ttl (s), grace (ms that the job may wait unfollowed; absent if nobody
-- needs to follow it), queue_timeout (ms that it may wait at all), after (the job that must be the token's last accepted
-- one, '' if any may be), attempt (the name under which a proxy may send the same request to another gateway, '' for none),
-- attempt_ttl (s), unpacked (the bytes that the work takes in a worker); then, byte by byte, what is kept about the work, and
-- the work itself if it is to be inside the job ('': it was written beside, and is deleted unless the job is accepted);
-- outdated: processes of version 0.1 must be able to read it there. as_before: workers of version 0.2 must find it.
-- answer_ttl (s) and overdue (ms longer than it may have waited) for what makes room.
-- Returns a status and its detail: 'accepted' and '' (also when this very job was accepted before); 'existing' and the
-- answer of the Idempotency-Key or of the attempt; 'reused' (the key belongs to another question); 'spent' (its answer is
-- gone); 'unknown' (no such token, another holder's, or one that ends with its running turn); 'moved' (another job was the
-- last one); 'client', 'daily' or 'full' and the seconds after which to retry; 'bytes' or 'client_bytes' (there is no room
-- for it) and the same; 'missing' (Redis has lost the work).
local args, about, inside = cjson.decode(ARGV[2]), ARGV[3], ARGV[4]
local job, token, session_ttl = args.job, args.token, args.session_ttl
local client, holder, name, question = args.client, args.holder, args.idem, args.question
local now = now_ms()

-- The job that another gateway accepted for the same attempt, which is this gateway's from now on; false if there is none.
local function passed_on()
  local answer = args.attempt ~= '' and redis.call('GET', key('attempt', args.attempt))
  if not answer or redis.call('EXISTS', key('job', answer)) == 0 then return false end
  redis.call('HSET', key('job', answer), 'adopted', job)
  redis.call('HDEL', key('job', answer), 'withdrawn')
  return { 'existing', answer }
end

-- A client's day is one of UTC. Its count is a key that lives until the end of that day.
local function seconds_of_day_left()
  return 86400 - math.floor(now / 1000) % 86400
end

-- Whether the client has asked as much as it may today.
local function day_is_over()
  return client ~= '' and args.daily and tonumber(redis.call('GET', key('day', client)) or '0') >= args.daily
end

-- Counts a question that is accepted. What comes of it changes nothing any more.
local function count_for_day()
  local asked = redis.call('INCR', key('day', client))
  if asked == 1 then redis.call('EXPIREAT', key('day', client), math.floor(now / 1000) + seconds_of_day_left()) end
end

-- Takes jobs that have ended while they waited out of a mailbox, and returns how many are left.
local function count_waiting(mailbox)
  for _, waiting in ipairs(redis.call('LRANGE', mailbox, 0, -1)) do
    local state = redis.call('HGET', key('job', waiting), 'state')
    if not state or TERMINAL[state] then redis.call('LREM', mailbox, 1, waiting) end
  end
  return redis.call('LLEN', mailbox)
end

-- Whether the token has no room; jobs that have ended make some.
local function mailbox_full()
  local mailbox = key('mailbox', token)
  return redis.call('LLEN', mailbox) >= args.mailbox_limit and count_waiting(mailbox) >= args.mailbox_limit
end

-- Takes tokens out of the client's line whose jobs have all ended while they waited, once at least half of them are such:
-- workers come by only while they have a place for the client, and whoever asks for a place in the queue has them counted.
local function shorten_line()
  local line, most = key('jobs_of', client), math.min(args.client_limit, args.queue_limit)
  if redis.call('XLEN', line) < 2 * most then return end
  for _, entry in ipairs(redis.call('XRANGE', line, '-', '+')) do
    local id, waiting = entry[1], entry[2][2]
    if count_waiting(key('mailbox', waiting)) == 0 then
      redis.call('XDEL', line, id)
      if redis.call('HGET', key('token', waiting), 'entry') == id then redis.call('HDEL', key('token', waiting), 'turn', 'entry') end
    end
  end
end

local beside = inside == '' and redis.call('STRLEN', key('work', job)) or 0
-- What many work on at once has to fit into their memory as it has to fit into Redis.
local bytes = JOB_BYTES + ANSWER_BYTES + #about + math.max(#inside + beside, args.unpacked)

-- Deletes work that was written for nothing.
local function drop_work()
  if inside == '' then redis.call('DEL', key('work', job)) end
end

-- Returns in how many s some of what is kept expires, or ends.
local function room()
  local first = redis.call('ZRANGE', key('kept'), 0, 0, 'WITHSCORES')
  local seconds = first[2] and math.ceil((tonumber(first[2]) - now) / 1000) or 60
  return math.max(1, math.min(seconds, come_back('took', 1)))
end

-- Why there is no room for the job's bytes; false if there is. However many there are, a client leaves as much room as
-- it takes, so that who comes finds some; one with a weight takes that many times as much.
local function bytes_refused()
  drop_expired('kept')
  local sums = redis.call('HMGET', key('bytes'), 'all', ':' .. client)
  local left, own = args.store_bytes - tonumber(sums[1] or '0'), tonumber(sums[2] or '0')
  if bytes > left then return { 'bytes', room() } end
  if client ~= '' and own > 0 and own + bytes > math.min(args.client_bytes, args.weight * (left - bytes)) then
    return { 'client_bytes', room() }
  end
  return false
end

local known = redis.call('HGET', KEYS[1], 'state')
if known then
  if TERMINAL[known] then drop_work() end
  return { 'accepted', '' }
end
local fields = redis.call('HMGET', key('token', token), 'fence', 'ending', 'holder', 'last', 'turn', 'running', 'owner')

-- Why the client, the token, or all together, have enough jobs; false if they haven't. However many there are, a client
-- leaves as much room as it takes, so that who comes finds some.
local function too_many()
  local left = args.queue_limit - redis.call('ZCARD', key('queued'))
  local own = client ~= '' and redis.call('ZCARD', key('client', client)) or 0
  if own > 0 and own >= math.min(args.client_limit, math.max(args.weight, args.weight * left)) then
    return { 'client', come_back('took', 1 / own) }
  end
  if fields[1] and mailbox_full() then return { 'full', come_back('took', 1) } end
  return left <= 0 and { 'full', come_back('gap', math.max(1, redis.call('LLEN', key('ring')))) }
end

-- Forgets those of them that neither wait nor run: their keys have expired or, if the queue is full, their time is over.
local function forget_ended()
  for _, jobs in ipairs({ key('queued'), key('client', client) }) do
    redis.call('ZREMRANGEBYSCORE', jobs, 0, now - session_ttl * 1000)
  end
  if redis.call('ZCARD', key('queued')) >= args.queue_limit then sweep_overdue(args.answer_ttl, args.overdue) end
end

-- Why the job is not accepted; false if it is.
local function refusal()
  local before = asked_before(name, question) or passed_on()
  if before then return before end
  if not fields[1] and not args.create then return { 'unknown', '' } end
  if fields[2] or (fields[1] and (fields[3] or '') ~= holder) then return { 'unknown', '' } end
  if args.after ~= '' and fields[4] ~= args.after then return { 'moved', '' } end
  if day_is_over() then return { 'daily', seconds_of_day_left() } end
  local refused = too_many()
  if refused then
    forget_ended()
    refused = too_many()
  end
  if refused then return refused end
  if inside == '' and beside == 0 then return { 'missing', '' } end
  return bytes_refused()
end

local refused = refusal()
if refused then
  drop_work()
  return refused
end
local new = { 'about', about, 'token', token, 'state', 'QUEUED', 'seq', 0, 'accepted', now, 'holder', holder }
local function set(field, value)
  new[#new + 1], new[#new + 2] = field, value
end
set('before', fields[4] or '')
set('wait_until', now + args.queue_timeout)
if client ~= '' then set('client', client) end
if args.weight ~= 1 then set('weight', args.weight) end
if args.attempt ~= '' then set('attempt', args.attempt) end
-- Whoever asks under a key may come back for the answer much later.
if name ~= '' then
  set('idem', name)
elseif args.grace then
  set('followed_until', now + args.grace)
end
if inside ~= '' then set(args.outdated and 'work' or 'short_work', inside) end
redis.call('HSET', KEYS[1], unpack(new))
redis.call('EXPIRE', KEYS[1], session_ttl)
if inside == '' then redis.call('EXPIRE', key('work', job), session_ttl) end
local expires = now + session_ttl * 1000
-- A process of version 0.1 would end it and leave it counted.
if not args.outdated then
  keep({ job, bytes, 'k:' .. token, TOKEN_BYTES }, ':' .. client, expires)
end
redis.call('ZADD', key('queued'), now, job)
if client ~= '' then
  redis.call('ZADD', key('client', client), now, job)
  redis.call('EXPIRE', key('client', client), session_ttl)
  if args.daily then count_for_day() end
end
if name ~= '' then
  redis.call('SET', key('idem', name), job .. ' ' .. question, 'EX', args.idem_ttl)
  if not args.outdated then keep({ 'i:' .. name, KEY_BYTES }, ':' .. client, now + args.idem_ttl * 1000) end
end
if args.attempt ~= '' then redis.call('SET', key('attempt', args.attempt), job, 'EX', args.attempt_ttl) end
shorten_line()
local waiting = redis.call('RPUSH', key('mailbox', token), job)
redis.call('EXPIRE', key('mailbox', token), session_ttl)
local token_fields = fields[1] and { 'last', job } or { 'fence', 0, 'holder', holder, 'last', job }
local turn, running, owner = unpack(fields, 5, 7)
if args.as_before or waiting > 1 or turn or running then
  redis.call('HSET', key('token', token), unpack(token_fields))
  redis.call('EXPIRE', key('token', token), session_ttl)
  if args.as_before then schedule_as_before(token) else enter(token) end
else
  line_up(token, client, owner, session_ttl * 1000, false, unpack(token_fields))
  redis.call('EXPIRE', key('token', token), session_ttl)
end
return { 'accepted', '' }
