-- Accepts a job.
-- KEYS: the job's hash. ARGV: prefix, job, token, work, '1' to make the token if it is new, session ttl in s, queue limit,
-- mailbox limit, client ('' if it is not counted), its limit, the token's holder ('' if anybody may use it), the
-- Idempotency-Key's name ('' for none), its question, its ttl in s, how long in ms the job may go unfollowed, the job that
-- must be the last one that was accepted of the token ('' if any may be).
-- Returns a status and what belongs to it: 'accepted' and '' (also when this very job was accepted before); 'existing'
-- and the answer that the Idempotency-Key stands for; 'reused' (it stands for another question); 'spent' (its answer is
-- gone); 'unknown' (no such token, not this holder's, or one that ends with its running turn); 'moved' (another job was the
-- last one); 'client' or 'full' and the seconds after which to come back.
local job, token, work, create = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local session_ttl, queue_limit, mailbox_limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local client, client_limit, holder = ARGV[9], tonumber(ARGV[10]), ARGV[11]
local name, question, name_ttl, after = ARGV[12], ARGV[13], ARGV[14], ARGV[16]
local now = now_ms()

-- What the Idempotency-Key stands for already; false if it is free.
local function asked_before()
  local found = name ~= '' and redis.call('GET', key('idem', name))
  if not found then return false end
  local answer, asked = found:match('(%S+) (%S+)')
  if asked ~= question then return { 'reused', '' } end
  local seq = redis.call('HGET', key('job', answer), 'seq')
  if not seq or (seq ~= '0' and redis.call('EXISTS', key('log', answer)) == 0) then return { 'spent', '' } end
  return { 'existing', answer }
end

-- How many of a sorted set's jobs wait or run. Those whose own keys have gone by now do neither any more.
local function count(jobs)
  redis.call('ZREMRANGEBYSCORE', jobs, 0, now - session_ttl * 1000)
  return redis.call('ZCARD', jobs)
end

-- Whether the token has no room; jobs that have ended while they waited make some.
local function mailbox_full()
  local mailbox = key('mailbox', token)
  if redis.call('LLEN', mailbox) < mailbox_limit then return false end
  for _, waiting in ipairs(redis.call('LRANGE', mailbox, 0, -1)) do
    local state = redis.call('HGET', key('job', waiting), 'state')
    if not state or TERMINAL[state] then redis.call('LREM', mailbox, 1, waiting) end
  end
  return redis.call('LLEN', mailbox) >= mailbox_limit
end

if redis.call('EXISTS', KEYS[1]) == 1 then return { 'accepted', '' } end
local before = asked_before()
if before then return before end
local found = redis.call('HMGET', key('token', token), 'fence', 'ending', 'holder', 'last')
if not found[1] and not create then return { 'unknown', '' } end
if found[2] or (found[1] and (found[3] or '') ~= holder) then return { 'unknown', '' } end
if after ~= '' and found[4] ~= after then return { 'moved', '' } end
if client ~= '' then
  local own = count(key('client', client))
  if own >= client_limit then return { 'client', come_back('took', 1 / own) } end
end
if mailbox_full() then return { 'full', come_back('took', 1) } end
local waiting = count(key('queued'))
if waiting >= queue_limit then return { 'full', come_back('gap', waiting) } end

redis.call('HSET', KEYS[1], 'work', work, 'token', token, 'state', 'QUEUED', 'seq', 0, 'accepted', now)
redis.call('HSET', KEYS[1], 'holder', holder, 'before', found[4] or '')
redis.call('EXPIRE', KEYS[1], session_ttl)
redis.call('ZADD', key('queued'), now, job)
if client ~= '' then
  redis.call('HSET', KEYS[1], 'client', client)
  redis.call('ZADD', key('client', client), now, job)
  redis.call('EXPIRE', key('client', client), session_ttl)
end
if name == '' then
  redis.call('HSET', KEYS[1], 'followed_until', now + tonumber(ARGV[15]))
else
  -- Whoever asks under a key may come back for the answer much later.
  redis.call('HSET', KEYS[1], 'idem', name)
  redis.call('SET', key('idem', name), job .. ' ' .. question, 'EX', name_ttl)
end
redis.call('RPUSH', key('mailbox', token), job)
redis.call('EXPIRE', key('mailbox', token), session_ttl)
if not found[1] then redis.call('HSET', key('token', token), 'fence', 0, 'holder', holder) end
redis.call('HSET', key('token', token), 'last', job)
redis.call('EXPIRE', key('token', token), session_ttl)
local running = redis.call('HEXISTS', key('token', token), 'running') == 1
local owner = redis.call('HGET', key('token', token), 'owner')
if not is_scheduled(token) and not (running and owner and alive(owner)) then schedule(token) end
return { 'accepted', '' }
