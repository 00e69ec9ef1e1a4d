-- Documents, all at one moment, with the time of that moment.
--
-- KEYS[1]  the root of every key
-- ARGV     the documents' names
-- Returns  {time, {{version, body} or nil, ...}}

local clock = redis.call('TIME')
local time = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local documents = {}
for i, name in ipairs(ARGV) do
  local found = redis.call('HMGET', KEYS[1] .. ':document:' .. name, 'version', 'body', 'expires')
  if found[2] and (not found[3] or tonumber(found[3]) > time) then
    documents[i] = { found[1], found[2] }
  else
    documents[i] = false
  end
end
return { string.format('%.0f', time), documents }
