-- Appends events to answers, each to one of its own. Runs with every delta, and therefore without the prelude and with
-- positional arguments.
-- KEYS: the first one's log. ARGV: prefix, how many events come first of which the worker doesn't know whether the log holds
-- the event before; then of each event: job, the seq that it must get, the event, and the lease ("token worker fence").
-- Returns of each event 0 (the log holds it, perhaps since an earlier call), -1 (the lease is lost), -2 (the answer has
-- ended), -3 (events are missing: the log was lost), or -4 (an error, which doesn't concern the others).
local prefix = ARGV[1]

local function publish(job, seq, event)
  redis.call('PUBLISH', prefix .. NAMES.channel .. job, seq .. ' ' .. event)
end

local function append_carefully(job, id, event, lease)
  local seq = tonumber(id)
  local token, worker, fence = lease:match('^(%S+) (%S+) (%S+)$')
  local holder = redis.call('HMGET', prefix .. NAMES.token .. token, 'owner', 'fence')
  if holder[1] ~= worker or holder[2] ~= fence then return -1 end
  local name, log = prefix .. NAMES.job .. job, prefix .. NAMES.log .. job
  local state = redis.call('HGET', name, 'state')
  if not state then return -3 end
  if state == 'DONE' or state == 'FAILED' or state == 'STOPPED' then return -2 end
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local reached = last and tonumber(last[1]:match('^%d+')) or 0
  if reached < seq - 1 or redis.call('XLEN', log) ~= reached then return -3 end
  -- Only the holder of the fence appends before the end, one event at a time: an event that is there already is this one.
  if reached >= seq then return 0 end
  redis.call('XADD', log, id .. '-0', 'e', event)
  publish(job, id, event)
  -- Processes of version 0.2 look for the seq there; all others, only whether it is 0.
  redis.call('HSET', name, 'state', 'STREAMING', 'seq', seq)
  -- A log expires with its job: fast appends, which never look at that, find none then.
  if seq == 1 then redis.call('PEXPIRE', log, math.max(1, redis.call('PTTL', name))) end
  return 0
end

local replies, careful = {}, tonumber(ARGV[2])
for at = 3, #ARGV, 4 do
  local job, seq, event = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local added = #replies >= careful
    and redis.pcall('XADD', prefix .. NAMES.log .. job, 'NOMKSTREAM', seq .. '-0', 'e', event)
  if type(added) == 'string' then
    publish(job, seq, event)
    replies[#replies + 1] = 0
  else
    -- There is no log, it is closed, or it holds the event already.
    local done, reply = pcall(append_carefully, job, seq, event, ARGV[at + 3])
    replies[#replies + 1] = done and reply or -4
  end
end
return replies
