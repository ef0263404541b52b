-- Registers an account that a worker has. A replaced cookie makes the account ready again.
-- KEYS: the account's hash. ARGV: prefix, then JSON: account, fingerprint of its cookie, weight, turns (most in flight, 0:
-- no bound), daily (most a day, 0: unknown), expires (of its cookie, Unix s, 0: unknown), provider, offer (JSON; left out
-- for pictures), version of the file that it comes from, worker, ttl (ms), and last: the account's last state that the
-- worker knows (state, until in ms, reason, failures, turns_today, paused, since in ms, 0: never known), used only where the
-- ledger knows nothing.
-- Returns 1 if the cookie was replaced, else 0.
local args = cjson.decode(ARGV[2])
local name, print, worker, last = args.account, args.fingerprint, args.worker, args.last
-- For so many ms a worker may not have seen a new cookie yet: its announcement of the old one changes nothing. Who has
-- announced the new one has seen it, and goes back at once; so does anybody once nobody has announced it for SILENCE ms.
local UNSEEN, SILENCE = 60000, 10000
-- How many of a day's questions are counted with an account that has no limit a day.
local COUNTED = 10000
local now = now_ms()
local fields = redis.call('HMGET', KEYS[1], 'fingerprint', 'replaced', 'replaced_at', 'state', 'seen_by')
local known, seen_by = fields[1], fields[5] or ''
local recent = fields[2] and now - tonumber(fields[3]) < UNSEEN
local has_seen = fields[5] and (' ' .. seen_by .. ' '):find(' ' .. worker .. ' ', 1, true)
local returns = recent and fields[2] == print and known ~= print and not has_seen
if returns and now - tonumber(redis.call('ZSCORE', key('accounts'), name) or '0') < SILENCE then return 0 end
if recent and known == print and not has_seen then redis.call('HSET', KEYS[1], 'seen_by', seen_by .. ' ' .. worker) end
redis.call('HSET', KEYS[1], 'fingerprint', print, 'weight', args.weight, 'turns', args.turns, 'daily', args.daily)
redis.call('HSET', KEYS[1], 'expires', args.expires, 'provider', args.provider)
redis.call('PEXPIRE', KEYS[1], args.ttl)
-- The offer from the newest file counts: another worker's older one is left out for so many ms.
local OUTDATED = 10000
if args.offer then
  local offer, version, by, at = unpack(redis.call('HMGET', KEYS[1], 'offer', 'offer_version', 'offered_by', 'offered'))
  if version and tonumber(version) > args.version and by ~= args.worker and now - tonumber(at) < OUTDATED then
    if offer ~= args.offer then redis.call('HSET', KEYS[1], 'disputed', now) end
  else
    redis.call('HSET', KEYS[1], 'offer', args.offer, 'offer_version', args.version, 'offered_by', args.worker, 'offered', now)
  end
end
redis.call('ZADD', key('accounts'), now, name)
redis.call('ZREMRANGEBYSCORE', key('spent', name), '-inf', now - DAY)
-- Without a limit a day nobody needs to know exactly: a busy server's questions would fill Redis. Bit by bit, since Redis
-- serves nobody else meanwhile.
if args.daily == 0 then
  local surplus = redis.call('ZCARD', key('spent', name)) - COUNTED
  if surplus > 0 then redis.call('ZREMRANGEBYRANK', key('spent', name), 0, math.min(surplus, 5 * COUNTED) - 1) end
end
if not known then
  local since = last.since
  redis.call('HSET', KEYS[1], 'until', last['until'], 'reason', last.reason, 'failures', last.failures)
  redis.call('HSET', KEYS[1], 'since', since, 'told', since)
  if since > 0 then redis.call('HSET', KEYS[1], 'state', last.state) else enter(KEYS[1], last.state) end
  if last.paused then redis.call('HSET', KEYS[1], 'paused', '1') end
  for turn = 1, math.min(last.turns_today, math.max(args.daily, COUNTED)) do count_as_asked(name, 'before:' .. turn, now) end
  if changed then log_event('kind', 'account', 'before', '', standing(name)) end
elseif known ~= print then
  -- An old cookie that returned because the new one's worker was silent doesn't keep that one out.
  redis.call('HSET', KEYS[1], 'replaced', returns and '' or known, 'replaced_at', now, 'seen_by', worker)
  enter(KEYS[1], 'ready')
  redis.call('HSET', KEYS[1], 'until', 0, 'reason', '', 'failures', 0)
  redis.call('HDEL', KEYS[1], 'trial')
  forget_failures(name)
  redis.call('DEL', key('listed', name), key('listing', name))
  log_event('kind', 'cookie', 'before', fields[4] or '', standing(name))
  return 1
end
return 0
