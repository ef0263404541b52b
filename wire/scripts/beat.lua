-- Renews a worker's heartbeat. Forgets the bytes of what has expired, and ends what has waited for too long.
-- KEYS: the worker's hash. ARGV: prefix, worker, lease in ms, '1' if it takes work ('0' without an account), answer ttl in s.
-- Returns since when Redis has run with its current data (ms; a change means that some data may be lost), and the stopped
-- answers that the worker runs. Each of these is returned until its job is finished, so that a lost reply loses none.
local worker, lease = ARGV[2], tonumber(ARGV[3])
local now = now_ms()
local last = redis.call('HGET', KEYS[1], 'last')
if not last or now - tonumber(last) > lease / 2 then
  redis.call('HSET', KEYS[1], 'since', now)
end
redis.call('HSET', KEYS[1], 'last', now, 'lease', lease, 'takes_work', ARGV[4])
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('SADD', key('workers'), worker)
drop_expired('kept')
drop_expired('kept_transcripts')
sweep(worker, tonumber(ARGV[5]))
return { began(), redis.call('SMEMBERS', key('stops', worker)) }
