-- Creates the groups of a worker's streams where they are missing. A worker starts also while Redis is full: it ends what was
-- accepted.
-- KEYS: the shared stream. ARGV: prefix, the group, the worker.
for _, stream in ipairs({ KEYS[1], key('jobs_of', ARGV[3]) }) do
  local reply = redis.pcall('XGROUP', 'CREATE', stream, ARGV[2], '0', 'MKSTREAM')
  -- fakeredis returns an error's text.
  local problem = type(reply) == 'table' and reply.err or reply
  if type(problem) == 'string' and problem:find('^%-?%u+ ') and not problem:find('BUSYGROUP') then
    return redis.error_reply(problem)
  end
end
