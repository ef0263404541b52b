-- Executes an operator's order to an account.
-- KEYS: the account's hash. ARGV: prefix, account, order: pause, resume, release (return by way of a trial turn), or reset
-- (delete all that is remembered of it); the operator ('' for the command line).
-- Returns the state before, nil if there is no such account.
local name, order, by = ARGV[2], ARGV[3], ARGV[4]
local before = redis.call('HGET', KEYS[1], 'state')
if not before then return false end
local function start_anew()
  redis.call('HDEL', KEYS[1], 'trial')
  forget_failures(name)
end
if order == 'pause' then
  if redis.call('HSET', KEYS[1], 'paused', '1') == 1 then note_change(KEYS[1]) end
elseif order == 'resume' then
  if redis.call('HDEL', KEYS[1], 'paused') == 1 then note_change(KEYS[1]) end
elseif order == 'release' then
  -- A repeat changes nothing.
  local back = redis.call('HMGET', KEYS[1], 'until', 'failures')
  local released = before == 'cooling' and tonumber(back[1] or '0') <= now_ms() and tonumber(back[2] or '0') == 0
  if before ~= 'ready' and not released then
    redis.call('HSET', KEYS[1], 'state', 'cooling', 'until', now_ms(), 'failures', 0)
    start_anew()
    note_change(KEYS[1])
  end
else
  enter(KEYS[1], 'ready')
  redis.call('HSET', KEYS[1], 'until', 0, 'reason', '', 'failures', 0)
  start_anew()
  if redis.call('HDEL', KEYS[1], 'paused') == 1 then note_change(KEYS[1]) end
  changed = redis.call('DEL', key('spent', name)) == 1 or changed
end
if changed then log_event('kind', 'order', 'order', order, 'by', by, 'before', before, standing(name)) end
return before
