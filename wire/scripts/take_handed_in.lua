-- Takes one cookie export; no other worker gets it.
-- KEYS: the set of names. ARGV: prefix.
-- Returns the name and the export, nil if there is none. A lost reply loses the export too.
local name = redis.call('SPOP', KEYS[1])
while name do
  local export = redis.call('GETDEL', key('export', name))
  if export then return { name, export } end
  name = redis.call('SPOP', KEYS[1])
end
return false
