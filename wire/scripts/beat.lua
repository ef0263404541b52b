-- Renews a worker's heartbeat.
-- KEYS: the worker's hash. ARGV: prefix, worker, lease in ms.
-- Returns since when Redis runs with the data that it has (ms; another number than the last time: some of it may be
-- lost), and the answers that the worker runs and that were stopped. Each of these stays until its job is finished, so
-- that a reply that is lost loses none.
local worker, lease = ARGV[2], tonumber(ARGV[3])
local now = now_ms()
local last = redis.call('HGET', KEYS[1], 'last')
if not last or now - tonumber(last) > lease / 2 then
  redis.call('HSET', KEYS[1], 'since', now)
end
redis.call('HSET', KEYS[1], 'last', now, 'lease', lease)
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('SADD', key('workers'), worker)
return { began(), redis.call('SMEMBERS', key('stops', worker)) }
