-- Entries of a lane that are due: by time, and those that were claimed under another epoch.
--
-- KEYS[1]  the root of every key
-- ARGV     lane, how many tenants, how many entries of each, epoch, how many tenants and entries are passed over first
-- Returns  {time, {{id, tenant, due, claims, epoch, body}, ...}}, in no order; the caller cuts it to size

-- What is claimed is about as much as the workers have in hand; were it more, the rest would come with a later question.
local CLAIMED_MAX = 1000

local root, lane, tenants, per_tenant, epoch = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local skip_tenants, skip_entries = ARGV[5], ARGV[6]
local clock = redis.call('TIME')
local now = string.format('%.0f', tonumber(clock[1]) * 1000000 + tonumber(clock[2]))

local entries = {}
local seen = {}
local function add(id)
  if seen[id] then return end
  seen[id] = true
  local found = redis.call('HMGET', root .. ':entry:' .. id, 'tenant', 'due', 'claims', 'epoch', 'body')
  if found[1] then
    entries[#entries + 1] = { id, found[1], found[2], found[3], found[4], found[5] }
  end
end

for _, tenant in ipairs(redis.call('ZRANGE', root .. ':lane:' .. lane, '-inf', now, 'BYSCORE', 'LIMIT', skip_tenants, tenants)) do
  local key = root .. ':due:' .. #lane .. ':' .. lane .. ':' .. tenant
  for _, id in ipairs(redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', skip_entries, per_tenant)) do
    add(id)
  end
end

if epoch ~= '0' and skip_tenants == '0' and skip_entries == '0' then
  for _, other in ipairs(redis.call('SMEMBERS', root .. ':epochs:' .. lane)) do
    if other ~= epoch then
      for _, id in ipairs(redis.call('ZRANGE', root .. ':claimed:' .. other .. ':' .. lane, 0, CLAIMED_MAX - 1)) do
        add(id)
      end
    end
  end
end

return { now, entries }
