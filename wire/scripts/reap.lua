-- Takes over what a dead worker left, a batch of tokens at a time: their unsent jobs return to the queue, their sent
-- ones end as interrupted.
-- KEYS: the dead worker's set of owned tokens. ARGV: prefix, worker that calls, dead worker, answer ttl in s, batch.
-- Returns how many tokens are left in the set, or -1 if that worker is alive, or the caller may not judge.
local worker, dead, answer_ttl = ARGV[2], ARGV[3], tonumber(ARGV[4])
if alive(dead) or not may_judge(worker) or not settled(worker) then return -1 end

-- After how many events of answers the rest is left to the next call: they are read, and Redis serves nobody else meanwhile.
local MOST_READ = 5000
local read = 0
for _, token in ipairs(redis.call('SRANDMEMBER', KEYS[1], tonumber(ARGV[5]))) do
  if read > MOST_READ then break end
  read = read + redis.call('XLEN', key('log', redis.call('HGET', key('token', token), 'running') or ''))
  redis.call('SREM', KEYS[1], token)
  if redis.call('HGET', key('token', token), 'owner') == dead then
    reap_token(token, answer_ttl)
    enter(token, true)
  end
end
local left = redis.call('SCARD', KEYS[1])
if left == 0 then
  redis.call('DEL', key('stops', dead), key('took', dead))
  redis.call('ZREM', key('idle'), dead)
  redis.call('SREM', key('workers'), dead)
end
return left
