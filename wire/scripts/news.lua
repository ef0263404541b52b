-- Returns the next alert about the accounts, which counts as delivered from then on.
-- KEYS: the set of accounts. ARGV: prefix, the share of accounts that should be ready, and the suffix of names that don't
-- count for it.
-- Returns JSON, nil if there is no alert: {"account", "state", "reason"} of an account that waits for a person, or {"few":
-- whether too few accounts are ready}; with "ready", "accounts" (those that some worker has and that aren't paused), and
-- "returns": when the first of them returns by itself, in ms (0: none does).
local share, ending = tonumber(ARGV[2]), ARGV[3]
-- For how many ms a worker may not have announced an account that it has.
local SILENCE = 60000
local now = now_ms()
local ready, accounts, returns, waiting = 0, 0, 0, false

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - SILENCE, '+inf')) do
  local fields = redis.call('HMGET', key('account', name), 'state', 'reason', 'since', 'told', 'paused', 'until')
  local state, back = fields[1], tonumber(fields[6] or '0')
  if (state == 'quarantined' or state == 'dead') and fields[3] ~= fields[4] then
    waiting = waiting or { account = name, state = state, reason = fields[2] or '', since = fields[3] }
  end
  if state and not fields[5] and name:sub(-#ending) ~= ending then
    accounts = accounts + 1
    if state == 'ready' then ready = ready + 1 end
    if state == 'cooling' and (returns == 0 or back < returns) then returns = back end
  end
end

local function encode_alert(alert)
  alert.ready, alert.accounts, alert.returns = ready, accounts, returns
  return cjson.encode(alert)
end

if waiting then
  redis.call('HSET', key('account', waiting.account), 'told', waiting.since)
  waiting.since = nil
  return encode_alert(waiting)
end
local few = ready < share * accounts
if few and redis.call('SETNX', key('few'), '1') == 1 then return encode_alert({ few = true }) end
if accounts > 0 and not few and redis.call('DEL', key('few')) == 1 then return encode_alert({ few = false }) end
return false
