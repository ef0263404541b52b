-- Returns the queue position of a job.
-- KEYS: the job's hash. ARGV: prefix, job.
-- Returns its position (1 is the next one; 0: it waits for an account's return) and in how many s its turn is likely to
-- come; nil if it doesn't wait.
local job = ARGV[2]
local fields = redis.call('HMGET', KEYS[1], 'state', 'returns', 'token', 'weight', 'client')
if fields[1] == 'CLAIMED' and fields[2] then
  return { 0, math.max(1, math.ceil((tonumber(fields[2]) - now_ms()) / 1000)) }
end
if fields[1] ~= 'QUEUED' then return false end
local token, client = fields[3], fields[5] or ''
local line, again, weight = key('jobs_of', client), key('again', client), tonumber(fields[4] or '1')
local length = redis.call('XLEN', line) + redis.call('LLEN', again)

-- Returns how many of its client's tokens come before its own: all of them while one of its own jobs runs.
local function ahead_in_line()
  local entry = redis.call('HGET', key('token', token), 'entry')
  if not entry then return length end
  if entry == 'again' then return redis.call('LPOS', again, token) or 0 end
  return redis.call('LLEN', again) + #redis.call('XRANGE', line, '-', '(' .. entry)
end

-- Each of a token's jobs waits for one more turn of its client's other tokens.
local ahead = ahead_in_line() + (redis.call('LPOS', key('mailbox', token), job) or 0) * math.max(1, length)
local clients = redis.call('LLEN', key('ring'))
local before = redis.call('LPOS', key('ring'), client) or clients
local position = before + 1 + ahead + math.floor(ahead / weight) * math.max(0, clients - 1)
position = math.min(redis.call('ZCARD', key('queued')), position)
return { position, come_back('gap', position) }
