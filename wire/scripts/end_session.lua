-- Deletes a token, after its running turn if it has one. Its waiting jobs end as failed and were never sent.
-- KEYS: the token's hash. ARGV: prefix, token, answer ttl in s.
local token = ARGV[2]
while true do
  local job = redis.call('LPOP', key('mailbox', token))
  if not job then break end
  end_job(job, 'FAILED', ENDS.session_closed, tonumber(ARGV[3]))
end
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if redis.call('HEXISTS', KEYS[1], 'running') == 1 then
  redis.call('HSET', KEYS[1], 'ending', '1')
else
  disown(token)
  forget(token)
end
