-- Says that a worker has an account. A cookie that was replaced makes the account ready again.
-- KEYS: the account's hash. ARGV: prefix, account, fingerprint of its cookie, weight, bound of turns in flight (0: none),
-- turns a day (0: unknown), when its cookie expires (Unix s, 0: unknown), how long this is kept in ms, and what the worker
-- last knew of it: state, until in ms, reason, failures, turns today, '1' if it is paused, and since when in ms (0: it never
-- knew). That counts only where nothing else is known. Last, the name of the account's provider.
-- Returns 1 if the cookie was replaced, else 0.
local name, print = ARGV[2], ARGV[3]
-- For so long a worker may not have seen a new cookie yet, in ms; what it says of the old one changes nothing.
local UNSEEN = 60000
local now = now_ms()
local found = redis.call('HMGET', KEYS[1], 'fingerprint', 'replaced', 'replaced_at', 'state')
local known = found[1]
if found[2] == print and known ~= print and now - tonumber(found[3]) < UNSEEN then return 0 end
redis.call('HSET', KEYS[1], 'fingerprint', print, 'weight', ARGV[4], 'turns', ARGV[5], 'daily', ARGV[6], 'expires', ARGV[7], 'provider', ARGV[16] or '')
redis.call('PEXPIRE', KEYS[1], ARGV[8])
redis.call('ZADD', key('accounts'), now, name)
if not known then
  local since = tonumber(ARGV[15])
  redis.call('HSET', KEYS[1], 'until', ARGV[10], 'reason', ARGV[11], 'failures', ARGV[12], 'since', since, 'told', since)
  if since > 0 then redis.call('HSET', KEYS[1], 'state', ARGV[9]) else enter(KEYS[1], ARGV[9]) end
  if ARGV[14] == '1' then redis.call('HSET', KEYS[1], 'paused', '1') end
  for turn = 1, tonumber(ARGV[13]) do count_as_asked(name, 'before:' .. turn, now) end
  if changed then log_event('kind', 'account', 'before', '', standing(name)) end
elseif known ~= print then
  redis.call('HSET', KEYS[1], 'replaced', known, 'replaced_at', now)
  enter(KEYS[1], 'ready')
  redis.call('HSET', KEYS[1], 'until', 0, 'reason', '', 'failures', 0)
  log_event('kind', 'cookie', 'before', found[4] or '', standing(name))
  return 1
end
return 0
