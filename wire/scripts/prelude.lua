-- Shared by all scripts; prepended to each. NAMES comes from wire/keys.py, ENDS and SECONDS from wire/terminal_events.py,
-- RUN from wire/scripts/__init__.py; ARGV[1] is the shard's prefix. Scripts with many arguments take them as one JSON object
-- in ARGV[2]; numbers in it must be exact as doubles, and values that must stay byte-exact follow as arguments of their own.

local PREFIX = ARGV[1]
-- How many ms a worker must have beaten without a gap, at least, before it may judge that others did not.
local HEARD_MS = 10000
-- After how many ms without a look of any gateway there was a gap.
local LOOK_GAP_MS = 5000
local TERMINAL = { DONE = true, FAILED = true, STOPPED = true }

local function key(kind, id)
  return PREFIX .. NAMES[kind] .. (id or '')
end

-- The time at which the script began, which it keeps.
local script_time
local function now_ms()
  if not script_time then
    local time = redis.call('TIME')
    script_time = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  return script_time
end

-- A worker is alive as long as its heartbeat key is.
local function alive(worker)
  return redis.call('EXISTS', key('worker', worker)) == 1
end

-- Returns whether this worker has beaten without a gap for a whole lease, and for `least` ms. After a pause of Redis
-- no worker has, so that none is judged before all had the chance to beat.
local function may_judge(worker, least)
  local beats = redis.call('HMGET', key('worker', worker), 'since', 'last', 'lease')
  if not beats[1] then return false end
  local now, lease = now_ms(), tonumber(beats[3])
  return now - tonumber(beats[1]) >= math.max(lease, least or 0) and now - tonumber(beats[2]) <= lease / 2
end

-- Data are up to date that had a beat so many ms ago.
local FRESH_MS = 10000

-- Returns whether a server that has run for `uptime` s has its data from one that was the primary until just now: it ran
-- already at the last beat in them, so it got that as a replica. Who began to work meanwhile saw that the primary has a
-- replica, and sent no question before that had its mark (see wire/redis/confirmed_pipeline.py): none can be unknown here.
local function handed_over(uptime, last_beat)
  local age = now_ms() - last_beat
  return age >= 0 and age < FRESH_MS and age < uptime * 1000
end

-- Returns since when Redis has run with its current data, in ms, and whether it was handed over. The first caller after a
-- restart, a fail-over, or a loss of everything records it.
local function began()
  local info = RUN or redis.call('INFO', 'server')
  local run = RUN or info:match('run_id:(%x+)')
  local known = redis.call('HMGET', key('run'), 'id', 'at', 'handed_over', 'beat')
  if known[1] == run then return tonumber(known[2]), known[3] == '1' end
  local now = now_ms()
  local over = not RUN and handed_over(tonumber(info:match('uptime_in_seconds:(%d+)')), tonumber(known[4] or '0'))
  redis.call('HSET', key('run'), 'id', run, 'at', now, 'handed_over', over and '1' or '0')
  return now, over
end

-- In how many ms each worker beats at least twice, also one that Redis has forgotten.
local TWO_BEATS_MS = 2000

-- Returns whether each worker that is known has reported what it holds to a Redis that began then. One without a heartbeat
-- counts too: Redis may have been away for longer than a lease.
local function all_reported(since)
  for _, worker in ipairs(redis.call('SMEMBERS', key('workers'))) do
    if tonumber(redis.call('HGET', key('worker', worker), 'reported') or '') ~= since then return false end
  end
  return true
end

-- Returns whether this worker is alive and all workers, this one included, have reasserted what they hold since Redis may
-- have lost it, or had the time to. Where Redis may have forgotten workers, these have the time to beat.
local function settled(worker)
  local lease = redis.call('HGET', key('worker', worker), 'lease')
  if not lease then return false end
  local since, over = began()
  local passed = now_ms() - since
  return passed >= tonumber(lease) / 2 or (over or passed >= TWO_BEATS_MS) and all_reported(since)
end

-- Ends above so many bytes are published as a gap, behind which each reader finds them in the log when it can.
local LONG_END = 32768

-- Appends one event to an answer's log and publishes it. `last`: none follows.
local function emit(job, seq, event, last)
  redis.call('XADD', key('log', job), seq .. '-0', 'e', event)
  if last and #event > LONG_END then seq, event = seq + 1, '' end
  redis.call('PUBLISH', key('channel', job), seq .. ' ' .. event)
end

-- The bytes of what is kept are counted: of `item`, a job, 'b:' and one with a result, 't:' and the token of a transcript,
-- 'k:' and a token, 'i:' and the name of an Idempotency-Key, 'c:' and 'r:' and the digest of a client, for its calls and its
-- responses, in `sizes`, and their sums in `bytes`. Only these two functions change them, all at once, so that the sums
-- change if and only if what is counted does.
local function kept_in(item)
  return key(item:sub(1, 2) == 't:' and 'kept_transcripts' or 'kept')
end

-- Adds to the sum of all and to the owner's, which is returned.
local function add_bytes(owner, bytes)
  local sum
  for _, of in ipairs({ 'all', owner }) do
    sum = redis.call('HINCRBY', key('bytes'), of, bytes)
    if sum <= 0 then redis.call('HDEL', key('bytes'), of) end
  end
  return sum
end

-- Returns a sum: of 'all', of 'transcripts', or of a client, whose name follows a colon.
local function bytes_of(owner)
  return tonumber(redis.call('HGET', key('bytes'), owner) or '0')
end

local function drop(item)
  local size = redis.call('HGET', key('sizes'), item)
  if not size then return end
  local bytes, owner = size:match('^(%d+) (.*)$')
  redis.call('HDEL', key('sizes'), item)
  redis.call('ZREM', kept_in(item), item)
  add_bytes(owner, -tonumber(bytes))
end

-- Counts items of one kind, a list of each with its bytes, until `expires` (ms), when their keys expire by themselves,
-- instead of what was counted for them before. Returns the owner's sum if it has changed.
local function keep(items, owner, expires)
  local names, scores, sizes, added = {}, {}, {}, 0
  for at = 1, #items, 2 do
    names[#names + 1] = items[at]
    scores[#scores + 1], scores[#scores + 2] = expires, items[at]
  end
  redis.call('ZADD', kept_in(names[1]), unpack(scores))
  for at, size in ipairs(redis.call('HMGET', key('sizes'), unpack(names))) do
    local bytes = math.floor(items[2 * at])
    local now = string.format('%d %s', bytes, owner)
    if size ~= now then
      local before, owner_before = (size or '0 ' .. owner):match('^(%d+) (.*)$')
      sizes[#sizes + 1], sizes[#sizes + 2] = names[at], now
      if owner_before == owner then
        bytes = bytes - tonumber(before)
      else
        add_bytes(owner_before, -tonumber(before))
      end
      added = added + bytes
    end
  end
  if #sizes == 0 then return end
  redis.call('HSET', key('sizes'), unpack(sizes))
  return add_bytes(owner, added)
end

-- Whether a client that takes so many bytes more leaves as much of the allowed ones as it has then, so that who comes finds
-- some; one with a weight takes that many times as much.
local function leaves_room(client, weight, bytes, allowed)
  local left = allowed - bytes_of('all') - bytes
  return left >= 0 and (client == '' or bytes_of(':' .. client) + bytes <= weight * left)
end

-- Forgets some of what has expired by itself. Bit by bit, since Redis serves nobody else meanwhile.
local function drop_expired(kind)
  for _, item in ipairs(redis.call('ZRANGEBYSCORE', key(kind), '-inf', now_ms(), 'LIMIT', 0, 20)) do drop(item) end
end

-- What a job counts beside its work, and one whose answer is not known yet beside that: a reserve for it.
local JOB_BYTES, ANSWER_BYTES = 1024, 65536
-- What a token with its session counts, and an Idempotency-Key.
local TOKEN_BYTES, KEY_BYTES = 1024, 512
-- What an event takes beside its text.
local EVENT_BYTES = 40

-- Returns how many bytes the texts of an answer's events take.
local function log_bytes(job)
  local bytes = 0
  for _, entry in ipairs(redis.call('XRANGE', key('log', job), '-', '+')) do bytes = bytes + #entry[2][2] end
  return bytes
end

-- Returns the standing of an Idempotency-Key that is known; false if it is free.
local function asked_before(name, question)
  local entry = name ~= '' and redis.call('GET', key('idem', name))
  if not entry then return false end
  local answer, digest = entry:match('(%S+) (%S+)')
  if digest ~= question then return { 'reused', '' } end
  local seq = redis.call('HGET', key('job', answer), 'seq')
  if not seq or (seq ~= '0' and redis.call('EXISTS', key('log', answer)) == 0) then return { 'spent', '' } end
  return { 'existing', answer }
end

-- A job that ended unspent, never sent or each time refused, frees its Idempotency-Key: the question may be asked afresh.
-- Its conversation is where it was before, and can be continued from there.
local function take_back(job)
  local fields = redis.call('HMGET', key('job', job), 'idem', 'token', 'before')
  local entry = fields[1] and redis.call('GET', key('idem', fields[1]))
  if entry and entry:match('%S+') == job then
    redis.call('DEL', key('idem', fields[1]))
    drop('i:' .. fields[1])
  end
  if fields[3] and redis.call('HGET', key('token', fields[2]), 'last') == job then
    redis.call('HSET', key('token', fields[2]), 'last', fields[3])
  end
end

-- Deletes the end that a worker has kept of a response which has ended in another way (see wire/response_memory.py).
local function forget_response_end(job)
  local kept = key('response_end', job)
  if redis.call('GETRANGE', kept, 0, 0) == 'D' then redis.call('DEL', kept) end
end

-- Returns the seq of the last event in an answer's log, and whether the log holds all before it.
local function last_seq(job)
  local log = key('log', job)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local seq = last and tonumber(last[1]:match('^%d+')) or 0
  return seq, redis.call('XLEN', log) == seq
end

-- The last id that a log can have: it takes no more after that.
local LAST_ID = '18446744073709551615-18446744073709551615'

-- Closes an answer's log, since fast appends look at nothing else.
local function close_log(job)
  redis.call('XADD', key('log', job), LAST_ID, 'e', '')
  redis.call('XDEL', key('log', job), LAST_ID)
end

-- Writes the terminal event, unless there is one. Returns its seq, or 0, and what the job was before: its state, how often
-- it was sent, and when it was accepted. `reached` is the last seq that is known to have been given, where that may be more
-- than Redis knows; `spent`, whether the question may have been answered upstream, for the same reason; `written`, how many
-- bytes its events take, where that is known; `rest`, an event to write ahead ('' or nil for none). If events are lost ahead
-- of that, or of a whole answer, nothing is written, and the seq is -1.
local function end_job(job, state, event, answer_ttl, reached, spent, written, rest)
  local fields =
    redis.call('HMGET', key('job', job), 'state', 'seq', 'client', 'attempts', 'accepted', 'about', 'stateless')
  local before = { state = fields[1], attempts = fields[4], accepted = tonumber(fields[5] or '') }
  local has_rest, streams = rest and rest ~= '', fields[1] == 'STREAMING'
  if not fields[1] then return has_rest and -1 or 0, before end
  if TERMINAL[fields[1]] then return 0, before end
  local seq, whole = 0, true
  if streams then seq, whole = last_seq(job) end
  reached = math.max(reached or 0, tonumber(fields[2]))
  if (state == 'DONE' or has_rest) and (not whole or seq < reached) then return -1, before end
  seq = math.max(seq, reached) + 1
  if has_rest then
    emit(job, seq, rest)
    seq = seq + 1
  end
  emit(job, seq, event, true)
  if streams then close_log(job) end
  if state ~= 'DONE' then forget_response_end(job) end
  redis.call('HSET', key('job', job), 'state', state, 'seq', seq)
  local bytes = JOB_BYTES + EVENT_BYTES * seq + (written or log_bytes(job)) + #(fields[6] or '')
  if fields[7] and state == 'STOPPED' then
    -- The conversation gets what was asked once the turn is over.
    bytes = bytes + redis.call('HSTRLEN', key('job', job), 'asked')
  elseif fields[7] then
    redis.call('HDEL', key('job', job), 'asked')
  end
  if redis.call('HDEL', key('job', job), 'short_work') == 0 then
    redis.call('DEL', key('work', job))
    -- One that processes of version 0.1 read keeps it.
    bytes = bytes + redis.call('HSTRLEN', key('job', job), 'work')
  end
  keep({ job, bytes }, ':' .. (fields[3] or ''), now_ms() + answer_ttl * 1000)
  redis.call('EXPIRE', key('job', job), answer_ttl)
  redis.call('EXPIRE', key('log', job), answer_ttl)
  if fields[1] == 'QUEUED' then redis.call('ZREM', key('queued'), job) end
  if fields[3] then redis.call('ZREM', key('client', fields[3]), job) end
  if not spent and (fields[1] == 'QUEUED' or fields[1] == 'CLAIMED') then take_back(job) end
  return seq, before
end

-- Measures, with each job that ends, how fast jobs end. `gap` is the time that one more takes: since the end before, but
-- not from before this one was accepted. `took` is the time from acceptance to the end. Both in ms, as averages in which
-- each job weighs a tenth. Kept as long as sessions.
local function measure(accepted, ttl)
  if not accepted then return end
  local now = now_ms()
  local rate = redis.call('HMGET', key('rate'), 'at', 'gap', 'took')
  local function average(old, new)
    return string.format('%.3f', old and tonumber(old) * 0.9 + new * 0.1 or new)
  end
  local gap = now - math.max(tonumber(rate[1] or '0'), accepted)
  redis.call('HSET', key('rate'), 'at', now, 'gap', average(rate[2], gap), 'took', average(rate[3], now - accepted))
  redis.call('EXPIRE', key('rate'), ttl)
end

-- Returns when to retry, in s, from 1 to 60: `times` times what was measured, or a guess before anything was.
-- When no job has ended for longer than usual although jobs wait, that time counts instead.
local function come_back(what, times)
  local rate = redis.call('HMGET', key('rate'), 'at', what)
  local oldest = redis.call('ZRANGE', key('queued'), 0, 0, 'WITHSCORES')
  local measured = tonumber(rate[2] or '5000')
  if oldest[2] then
    measured = math.max(measured, now_ms() - math.max(tonumber(rate[1] or '0'), tonumber(oldest[2])))
  end
  return math.max(1, math.min(60, math.ceil(measured * times / 1000)))
end

-- Deletes a token's conversation and its transcript.
local function drop_session(token)
  redis.call('HDEL', key('token', token), 'session', 'sent', 'said', 'cut', 'stateless')
  redis.call('DEL', key('transcript', token))
  drop('t:' .. token)
end

-- Counts a token's transcript of so many bytes for as long as it is kept (ms). Returns the sum of all if it has changed.
local function keep_transcript(token, said, ttl)
  if said > 0 then return keep({ 't:' .. token, said }, 'transcripts', now_ms() + ttl) end
  drop('t:' .. token)
end

-- Deletes the oldest transcripts while all together, `sum`, exceed `limit` bytes, a few at a time. Where the upstream
-- remembers nothing, the conversation with them.
local function shed_transcripts(sum, limit)
  if sum <= limit then return end
  for _, item in ipairs(redis.call('ZRANGE', key('kept_transcripts'), 0, 9)) do
    local token = item:sub(3)
    local fields = redis.call('HMGET', key('token', token), 'fence', 'running', 'stateless')
    if not fields[1] then
      drop(item)
    elseif not fields[2] then
      redis.call('DEL', key('transcript', token))
      redis.call('HDEL', key('token', token), 'said')
      redis.call('HSET', key('token', token), 'cut', '1')
      drop(item)
      if fields[3] then
        drop_session(token)
        redis.call('HSET', key('token', token), 'reset', '1')
      end
    end
    if bytes_of('transcripts') <= limit then return end
  end
end

-- Returns the text of an answer as its readers have it, and the bytes of its events if all were read: one that isn't a
-- delta has all of the text.
local function logged_text(job)
  local last = redis.call('XREVRANGE', key('log', job), '+', '-', 'COUNT', 1)[1]
  local newest = last and cjson.decode(last[2][2])
  if newest and newest.type ~= 'delta' then return newest.text end
  local parts, bytes = {}, 0
  for _, entry in ipairs(redis.call('XRANGE', key('log', job), '-', '+')) do
    local event = cjson.decode(entry[2][2])
    if event.type ~= 'delta' then parts = {} end
    parts[#parts + 1] = event.text
    bytes = bytes + #entry[2][2]
  end
  return table.concat(parts), bytes
end

-- Returns whether the end of a stopped answer reports that its conversation is reset. A lost one counts as such.
local function stop_resets(job)
  local last = redis.call('XREVRANGE', key('log', job), '+', '-', 'COUNT', 1)[1]
  return not last or cjson.decode(last[2][2]).reset ~= false
end

-- Adds an exchange (messages as JSON, '' for none, nil for one above the limit) to a token's transcript, whose beginning is
-- cut off above `limit` bytes. `begins`: what the transcript held before is dropped. Returns its bytes.
local function extend_transcript(token, exchange, begins, limit)
  local transcript = key('transcript', token)
  if exchange == '' then return tonumber(redis.call('HGET', key('token', token), 'said') or '0') end
  if not exchange then
    redis.call('DEL', transcript)
    redis.call('HDEL', key('token', token), 'said')
    redis.call('HSET', key('token', token), 'cut', '1')
    return 0
  end
  if begins then
    redis.call('DEL', transcript)
    redis.call('HDEL', key('token', token), 'said', 'cut')
  end
  redis.call('RPUSH', transcript, exchange)
  local size = redis.call('HINCRBY', key('token', token), 'said', #exchange)
  while size > limit do
    size = redis.call('HINCRBY', key('token', token), 'said', -#redis.call('LPOP', transcript))
    redis.call('HSET', key('token', token), 'cut', '1')
  end
  return size
end

-- Returns the messages of a question whose answer broke off, as JSON; '' if none of it was answered, nil if the question
-- exceeds a transcript's limit. `begins`: with the history that its client sent.
local function partial_exchange(job, begins)
  local text = logged_text(job)
  if text == '' then return '' end
  local fields = redis.call('HMGET', key('job', job), 'asked', 'work')
  if fields[1] == '' or not (fields[1] or fields[2]) then return nil end
  if fields[1] then return fields[1]:sub(1, -2) .. ',{"role":"assistant","text":' .. cjson.encode(text) .. '}]' end
  -- A worker of version 0.1 has sent it.
  local work = cjson.decode(fields[2])
  local messages = begins and work.history or {}
  messages[#messages + 1] = { role = 'user', text = work.question }
  messages[#messages + 1] = { role = 'assistant', text = text }
  return cjson.encode(messages)
end

-- Puts a token into the stream of its live owner, else into the shared one, as workers of version 0.2 read them; unless it
-- is in one that a worker will see.
local function schedule_as_before(token)
  local fields = redis.call('HMGET', key('token', token), 'scheduled', 'running', 'owner')
  local owner = fields[3] and alive(fields[3]) and fields[3]
  if fields[1] and (fields[1] == 'shared' or alive(fields[1])) or fields[2] and owner then return end
  redis.call('XADD', owner and key('jobs_of', owner) or key('jobs'), '*', 't', token)
  redis.call('HSET', key('token', token), 'scheduled', owner or 'shared')
end

-- Rings one worker's bell: that of the token's owner if it has a free place, else of the one with the most.
local function ring_bell(owner)
  local bell = owner and redis.call('ZSCORE', key('idle'), owner) and owner
  while not bell or not alive(bell) do
    if bell then redis.call('ZREM', key('idle'), bell) end
    bell = redis.call('ZREVRANGE', key('idle'), 0, 0)[1]
    if not bell then return end
  end
  if tonumber(redis.call('ZINCRBY', key('idle'), -1, bell)) <= 0 then redis.call('ZREM', key('idle'), bell) end
  redis.call('PUBLISH', key('bell', bell), '0 ')
end

-- Sets how many places a worker has free.
local function set_free(worker, free)
  if free > 0 then redis.call('ZADD', key('idle'), free, worker) else redis.call('ZREM', key('idle'), worker) end
end

-- Lets `name` last for `ttl` ms, unless it lasts longer already, or `ttl` is none. `new`: it was made just now.
local function outlast(name, ttl, new)
  if ttl <= 0 then return end
  if new or redis.call('PEXPIRE', name, ttl, 'GT') == 0 then redis.call('PEXPIRE', name, ttl, 'NX') end
end

-- Puts a token that stands in no line, and none of whose jobs runs, into its client's, which lasts for `ttl` ms then: at the
-- end, or ahead of all if a worker has given it back (`ahead`). A client that had no token waiting goes to the ring's end.
-- The token gets the other fields as well.
local function line_up(token, client, owner, ttl, ahead, ...)
  local line, again, ring = key('jobs_of', client), key('again', client), key('ring')
  local stood = redis.call('EXISTS', line, again) > 0
  local entry = 'again'
  if ahead then
    redis.call('RPUSH', again, token)
  else
    entry = redis.call('XADD', line, '*', 't', token)
  end
  outlast(ahead and again or line, ttl, not stood)
  redis.call('HSET', key('token', token), 'turn', client, 'entry', entry, ...)
  outlast(ring, ttl, not stood and redis.call('RPUSH', ring, client) == 1)
  ring_bell(owner)
end

-- Puts a token with waiting jobs, and none that runs, into its client's line, unless it stands in one.
local function enter(token, ahead)
  local fields = redis.call('HMGET', key('token', token), 'turn', 'running', 'owner')
  if fields[2] then return end
  local client, ttl = fields[1], redis.call('PTTL', key('token', token))
  if client then
    for _, of in ipairs({ key('jobs_of', client), key('again', client), key('ring') }) do outlast(of, ttl) end
    return
  end
  local job = redis.call('LINDEX', key('mailbox', token), 0)
  if job then line_up(token, redis.call('HGET', key('job', job), 'client') or '', fields[3], ttl, ahead) end
end

-- Takes a client without a line out of the ring, and returns true then; moves one to its end that has had its turns of this
-- visit. `emptied`: its stream is known to be empty.
local function pass_on(client, weight, emptied)
  local line = key('jobs_of', client)
  if emptied or redis.call('XLEN', line) == 0 then
    redis.call('DEL', line)
    if redis.call('EXISTS', key('again', client)) == 0 then
      redis.call('LREM', key('ring'), 1, client)
      redis.call('HDEL', key('credit'), client)
      return true
    end
  end
  if not weight then return end
  local ring, credit = key('ring'), key('credit')
  if weight > 1 and redis.call('HINCRBY', credit, client, 1) < weight then
    outlast(credit, redis.call('PTTL', ring))
    return
  end
  redis.call('HDEL', credit, client)
  -- A ring of one stays as it is: emptied, it would lose its time to live.
  if redis.call('LINDEX', ring, -1) ~= client then
    redis.call('LREM', ring, 1, client)
    redis.call('RPUSH', ring, client)
  end
end

-- Takes a token out of its line.
local function leave_line(token)
  local place = redis.call('HMGET', key('token', token), 'turn', 'entry')
  if not place[1] then return end
  if place[2] == 'again' then
    redis.call('LREM', key('again', place[1]), 1, token)
  else
    redis.call('XDEL', key('jobs_of', place[1]), place[2])
  end
  redis.call('HDEL', key('token', token), 'turn', 'entry')
  pass_on(place[1])
end

-- Ends a job that has waited for too long.
local function end_overdue(job, answer_ttl)
  local event = ENDS.queue_timeout:gsub(SECONDS, come_back('gap', redis.call('LLEN', key('ring'))))
  end_job(job, 'FAILED', event, answer_ttl)
end

-- Ends a job that nobody follows any more, before it is sent, or that has waited in the queue for longer than it may. True
-- if the job has ended, now or before; else false, and its state, how often it was sent, whether its upstream remembers
-- nothing, and its weight. Only a worker that has beaten without a gap may judge: after a pause the followers must have had
-- the time to renew their interest.
local function given_up(job, worker, answer_ttl)
  local fields = redis.call('HMGET', key('job', job), 'state', 'followed_until', 'attempts', 'wait_until', 'stateless', 'weight')
  if not fields[1] or TERMINAL[fields[1]] then return true end
  local now = now_ms()
  local unfollowed = fields[2] and not fields[3] and tonumber(fields[2]) < now
  local overdue = fields[1] == 'QUEUED' and fields[4] and tonumber(fields[4]) < now
  if not (unfollowed or overdue) or not may_judge(worker, HEARD_MS) then
    return false, fields[1], fields[3], fields[5], fields[6]
  end
  if overdue then end_overdue(job, answer_ttl) else end_job(job, 'FAILED', ENDS.cancelled, answer_ttl) end
  return true
end

-- Ends what waits in the queue for nothing, also where nobody asks for its token: a few at a time.
local function sweep(worker, answer_ttl)
  for _, job in ipairs(redis.call('ZRANGE', key('queued'), 0, 19)) do
    if not given_up(job, worker, answer_ttl) then return end
    -- Also one that has expired by itself.
    redis.call('ZREM', key('queued'), job)
  end
end

-- The same without a worker: what has waited for `spare` ms longer than it may. Only while gateways have looked without a
-- gap, since while Redis is away nobody's time runs out.
local function sweep_overdue(answer_ttl, spare)
  local looks, now = redis.call('HMGET', key('looks'), 'since', 'last'), now_ms()
  if not looks[1] or tonumber(looks[2]) - tonumber(looks[1]) < HEARD_MS or now - tonumber(looks[2]) > LOOK_GAP_MS then return end
  for _, job in ipairs(redis.call('ZRANGE', key('queued'), 0, 19)) do
    local wait_until = redis.call('HGET', key('job', job), 'wait_until')
    if not wait_until or now <= tonumber(wait_until) + spare then return end
    end_overdue(job, answer_ttl)
  end
end

-- Takes the lease from the token's owner; the fence makes sure that its late writes are refused.
local function disown(token)
  local owner = redis.call('HGET', key('token', token), 'owner')
  if owner then redis.call('SREM', key('owned', owner), token) end
  redis.call('HDEL', key('token', token), 'owner', 'running')
  redis.call('HINCRBY', key('token', token), 'fence', 1)
end

-- Deletes a token.
local function forget(token)
  leave_line(token)
  redis.call('DEL', key('token', token), key('transcript', token))
  drop('t:' .. token)
  drop('k:' .. token)
end

-- Deletes a token that was to end with its running turn, which is over; not if that turn has returned to the queue.
-- True if it is deleted.
local function forget_ending(token)
  if redis.call('HEXISTS', key('token', token), 'ending') == 0 then return false end
  if redis.call('EXISTS', key('mailbox', token)) == 1 then return false end
  forget(token)
  return true
end

-- Takes the token's next job that has not ended, and returns it with its client's weight; false if none waits.
local function next_job(token, worker, answer_ttl)
  while true do
    local job = redis.call('LPOP', key('mailbox', token))
    if not job then return false end
    local over, _, _, _, weight = given_up(job, worker, answer_ttl)
    if not over then
      redis.call('HSET', key('job', job), 'state', 'CLAIMED', 'claimed', now_ms())
      redis.call('ZREM', key('queued'), job)
      return job, tonumber(weight or '1')
    end
  end
end

-- How many tokens one call looks at, and of one line, and how many clients that it may serve.
local LOOKS, OF_A_LINE, CLIENTS = 64, 8, 8
-- For how many ms a token is left to the worker that holds its conversation.
local LEFT_MS = 100

-- Returns for how many ms more a token is left to the worker that holds its conversation, since that one has a free
-- place; false if any may take it.
local function left_to_owner(owner, worker, entry)
  if not owner or owner == worker or not redis.call('ZSCORE', key('idle'), owner) or not alive(owner) then return false end
  local left = tonumber(entry:match('^%d+')) + LEFT_MS - now_ms()
  return left > 0 and left
end

-- Returns a token that was taken from its line as `entry`, and since then deleted, perhaps, and made anew.
local function read_token(token, entry)
  local fields = redis.call('HMGET', key('token', token), 'entry', 'running', 'owner', 'session', 'sent', 'reset')
  return { name = token, stands = fields[1] == entry, running = fields[2], owner = fields[3], saved = { unpack(fields, 4, 6) } }
end

-- Takes the first token of a client's line that this worker may take, and returns it, and whether it was the line's only one
-- (nil: not known); or false, and in how many ms one may be taken (nil: there is none).
local function pop_token(client, worker)
  local name = redis.call('LPOP', key('again', client))
  if name then return read_token(name, 'again') end
  local soonest
  local line = redis.call('XRANGE', key('jobs_of', client), '-', '+', 'COUNT', OF_A_LINE)
  for _, entry in ipairs(line) do
    local token = read_token(entry[2][2], entry[1])
    local left = left_to_owner(token.owner, worker, entry[1])
    if not left then
      redis.call('XDEL', key('jobs_of', client), entry[1])
      return token, #line == 1
    end
    soonest = math.min(soonest or left, left)
  end
  return false, soonest
end

-- Claims the next job of a token that was taken from its line, and returns it with its client's weight; false if it has none
-- to run.
local function claim_job(token, worker, answer_ttl)
  if not token.stands then return false end
  redis.call('HDEL', key('token', token.name), 'turn', 'entry')
  if token.running then return false end
  local job, weight = next_job(token.name, worker, answer_ttl)
  -- It was to end with a job that went back, and that has ended without a turn.
  if not job and forget_ending(token.name) and token.owner then redis.call('SREM', key('owned', token.owner), token.name) end
  return job, weight
end

-- Chooses the next turn for a worker: of the first client in the ring that runs less than three times as many turns there,
-- by its weight, as it has free places; uncounted ones ('') have no such limit. `places`: `free`, how many, and `running`,
-- its turns of each client over the client's weight.
-- Returns the token (its name and owner), its job, which is claimed, its client, that one's weight, and whether it was the
-- ring's last turn; or false, and in how many ms to choose again (0: at once, since there was too much to look at; nil: when
-- something changes).
local function choose(worker, places, answer_ttl)
  local looks, unserved, soonest = LOOKS, 0, nil
  local function has_enough(client)
    return client ~= '' and (places.running[client] or 0) >= 3 * places.free
  end
  for client in pairs(places.running) do
    if has_enough(client) then unserved = unserved + 1 end
  end
  local clients = redis.call('LRANGE', key('ring'), 0, unserved + CLIENTS - 1)
  for _, client in ipairs(clients) do
    local waiting = not has_enough(client)
    while waiting do
      if looks == 0 then return false, 0 end
      looks = looks - 1
      local token, left = pop_token(client, worker)
      local job, weight, gone
      if token then job, weight = claim_job(token, worker, answer_ttl) end
      if token or not left then
        gone = pass_on(client, weight, token and left)
      else
        soonest = math.min(soonest or left, left)
      end
      if job then return token, job, client, weight, gone and #clients == 1 end
      waiting = token and redis.call('EXISTS', key('jobs_of', client), key('again', client)) > 0
    end
  end
  return false, soonest
end

-- Returns a job that was claimed and not sent to the front of the mailbox.
local function put_back(token, job)
  redis.call('HSET', key('job', job), 'state', 'QUEUED')
  redis.call('ZADD', key('queued'), redis.call('HGET', key('job', job), 'accepted'), job)
  redis.call('LPUSH', key('mailbox', token), job)
end

-- Ends the answer of a question that was sent, whose outcome is unknown. Its conversation is dropped, unless the upstream
-- remembers none: then it continues with the text that readers have.
local function break_off(token, job, state, answer_ttl)
  local known = redis.call('HGET', key('job', job), 'stateless')
  local keeps = known
  if TERMINAL[state] then keeps = state == 'STOPPED' and not stop_resets(job) end
  if not keeps then
    end_job(job, 'FAILED', ENDS.interrupted, answer_ttl)
    drop_session(token)
  elseif known then
    local rules = cjson.decode(known)
    local said = extend_transcript(token, partial_exchange(job, rules.begins), rules.begins, rules.limit)
    end_job(job, 'FAILED', ENDS.interrupted_only, answer_ttl)
    local ttl = redis.call('PTTL', key('token', token))
    if ttl > 0 then redis.call('PEXPIRE', key('transcript', token), ttl) end
    keep_transcript(token, said, ttl)
    if redis.call('EXISTS', key('transcript', token)) == 0 then drop_session(token) end
  end
  redis.call('HDEL', key('token', token), 'reset')
end

-- Ends what a dead owner left: unsent work returns to the queue, unless two workers have crashed while holding it; the
-- answer to a sent question ends as interrupted.
local function reap_token(token, answer_ttl)
  local job = redis.call('HGET', key('token', token), 'running')
  disown(token)
  if job then
    local state = redis.call('HGET', key('job', job), 'state')
    if state ~= 'CLAIMED' then
      break_off(token, job, state, answer_ttl)
    elseif redis.call('HINCRBY', key('job', job), 'tries', 1) < 2 then
      put_back(token, job)
    else
      end_job(job, 'FAILED', ENDS.poison, answer_ttl)
    end
  end
  forget_ending(token)
end

-- Ends a job whose outcome Redis has lost. The token's next answer reports that the conversation is another one.
local function lose(token, job, answer_ttl, reached)
  end_job(job, 'FAILED', ENDS.state_lost, answer_ttl, reached, true)
  if redis.call('EXISTS', key('token', token)) == 0 then return end
  if redis.call('HGET', key('token', token), 'running') == job then redis.call('HDEL', key('token', token), 'running') end
  drop_session(token)
  redis.call('HSET', key('token', token), 'reset', '1')
end

-- Returns whether `worker` still holds the lease with this fence (a text).
local function holds(token, worker, fence)
  local lease = redis.call('HMGET', key('token', token), 'owner', 'fence')
  return lease[1] == worker and lease[2] == fence
end

-- Returns the reply to an op that was already executed, the same as then, false if it wasn't; and whether `worker` still
-- holds the lease with this fence (a text), the job that runs, whether the token is to end with it, and its other fields of
-- these names.
local function held(token, worker, fence, op, ...)
  local fields = redis.call('HMGET', key('token', token), 'op', 'reply', 'owner', 'fence', 'running', 'ending', ...)
  return fields[1] == op and fields[2], fields[3] == worker and fields[4] == fence, unpack(fields, 5, 6 + select('#', ...))
end

-- Sets the reply to an op, and other fields of the token with it.
local function remember(token, op, reply, ...)
  redis.call('HSET', key('token', token), 'op', op, 'reply', reply, ...)
  return reply
end
