-- Returns a schedule entry to the end of the shared stream.
-- KEYS: the shared stream. ARGV: prefix, the group, the entry's stream, its id, its token.
redis.call('XADD', KEYS[1], '*', 't', ARGV[5])
redis.call('XACK', ARGV[3], ARGV[2], ARGV[4])
redis.call('XDEL', ARGV[3], ARGV[4])
