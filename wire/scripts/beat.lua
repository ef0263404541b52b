-- Renews a worker's heartbeat. Forgets the bytes of what has expired, and ends what has waited for too long.
-- KEYS: the worker's hash. ARGV: prefix, worker, lease in ms, '1' if it takes work ('0' without an account), answer ttl in
-- s, its free places, since when Redis has run with the data of which this worker has reported all that it holds (0: none).
-- Returns since when Redis has run with its current data (ms; a change means that some data may be lost), the stopped
-- answers that the worker runs, and how many clients wait. Each of those answers is returned until its job is finished, so
-- that a lost reply loses none.
local worker, lease = ARGV[2], tonumber(ARGV[3])
local now = now_ms()
-- Ahead of this beat: how old the last one is matters.
local since = began()
local last = redis.call('HGET', KEYS[1], 'last')
if not last or now - tonumber(last) > lease / 2 then
  redis.call('HSET', KEYS[1], 'since', now)
end
redis.call('HSET', KEYS[1], 'last', now, 'lease', lease, 'takes_work', ARGV[4], 'reported', ARGV[7])
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('EXPIRE', key('took', worker), ARGV[5])
redis.call('SADD', key('workers'), worker)
set_free(worker, tonumber(ARGV[6]))

-- What gateways of version 0.2 have put into streams of workers.
for _, stream in ipairs({ key('jobs'), key('jobs_of', worker) }) do
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 100)) do
    redis.call('XDEL', stream, entry[1])
    redis.call('HDEL', key('token', entry[2][2]), 'scheduled')
    enter(entry[2][2])
  end
end
drop_expired('kept')
drop_expired('kept_transcripts')
sweep(worker, tonumber(ARGV[5]))
return { since, redis.call('SMEMBERS', key('stops', worker)), redis.call('LLEN', key('ring')) }
