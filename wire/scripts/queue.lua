-- Measures the queue; writes nothing.
-- KEYS: the set of jobs that wait. ARGV: prefix.
-- Returns how many jobs wait, since when the oldest does (ms, 0 for none), in how many s the turn of one more, by a client
-- that has none there, is likely to come, the time (ms), how many clients wait, the one that has waited longest, of those
-- with the next turns ('' for none, and for one without a name), since when (ms, 0 for none), and how many places workers
-- have free. How many clients are looked at: Redis serves nobody else meanwhile.
local CLIENTS = 100

-- Returns since when the first token of a client's line stands there (ms), or the first job of one that was given back
-- waits.
local function waits_since(client)
  local token = redis.call('LINDEX', key('again', client), 0)
  local job = token and redis.call('LINDEX', key('mailbox', token), 0)
  local accepted = job and redis.call('HGET', key('job', job), 'accepted')
  if accepted then return tonumber(accepted) end
  local first = redis.call('XRANGE', key('jobs_of', client), '-', '+', 'COUNT', 1)[1]
  return first and tonumber(first[1]:match('^%d+'))
end

local longest, since = '', 0
for _, client in ipairs(redis.call('LRANGE', key('ring'), 0, CLIENTS - 1)) do
  local from = waits_since(client)
  if from and (since == 0 or from < since) then longest, since = client, from end
end
local free, idle = 0, redis.call('ZRANGE', key('idle'), 0, -1, 'WITHSCORES')
for at = 1, #idle, 2 do
  if alive(idle[at]) then free = free + tonumber(idle[at + 1]) end
end
local length, clients = redis.call('ZCARD', KEYS[1]), redis.call('LLEN', key('ring'))
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local wait = length > 0 and come_back('gap', math.min(length, clients) + 1) or 0
return { length, tonumber(oldest[2] or '0'), wait, now_ms(), clients, longest, since, free }
