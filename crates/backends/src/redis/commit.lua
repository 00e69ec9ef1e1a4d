-- One commit: everything in it becomes true, or nothing does.
--
-- KEYS[1]  the root of every key, hash tag included; all other keys are made from it, so that they share its slot
-- ARGV     the request id, then four lists, each led by its length:
--            documents  key, expect (absent | any | a version), write (keep | put | delete), body, keep in microseconds
--            events     stream, body, how many to keep
--            outbox     put, id, lane, tenant, due in microseconds, body
--                       claim, id, due, hide in microseconds, epoch, -
--                       remove, id, -, -, -, -
--            indexes    set, index, member, value | from_now, number
--                       remove, index, member, -, -
--          What is absent is an empty string.
-- Returns  {'done', time} or {'conflict', what}
--
-- Scripts are atomic and not rolled back: everything is checked before the first write, and nothing after it can fail.
-- Numbers of 16 digits cross as text: Lua's own conversions round them to 14 digits.

local REPLAY_MS = 600000
local TOMBSTONE_MS = 600000
local FEED_LINES = 10000
local SCORE_MAX = 9007199254740992

local root = KEYS[1]
local position = 0
local function take()
  position = position + 1
  return ARGV[position]
end
local function text(number)
  return string.format('%.0f', number)
end

local clock = redis.call('TIME')
local time = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now = text(time)
local function from_now(micros)
  return text(math.min(SCORE_MAX, time + tonumber(micros)))
end

local request = root .. ':request:' .. take()
local first = redis.call('GET', request)
if first then
  return { 'done', first }
end

-- Check.

local documents = {}
for i = 1, tonumber(take()) do
  local name, expect = take(), take()
  local key = root .. ':document:' .. name
  local found = redis.call('HMGET', key, 'version', 'body', 'expires')
  local is_there = found[2] and (not found[3] or tonumber(found[3]) > time)
  if expect == 'absent' then
    if is_there then return { 'conflict', name } end
  elseif expect ~= 'any' then
    if not is_there or found[1] ~= expect then return { 'conflict', name } end
  end
  documents[i] = { key = key, write = take(), body = take(), keep = take(), version = found[1] }
end

local events = {}
for i = 1, tonumber(take()) do
  events[i] = { stream = take(), body = take(), keep = take() }
end

local outbox = {}
for i = 1, tonumber(take()) do
  local write = { kind = take(), id = take(), a = take(), b = take(), c = take(), d = take() }
  if write.kind == 'claim' and redis.call('HGET', root .. ':entry:' .. write.id, 'due') ~= write.a then
    return { 'conflict', 'outbox/' .. write.id }
  end
  outbox[i] = write
end

-- Write.

for _, document in ipairs(documents) do
  if document.write == 'put' then
    local version = text(tonumber(document.version or '0') + 1)
    redis.call('HSET', document.key, 'version', version, 'body', document.body)
    if document.keep == '' then
      redis.call('HDEL', document.key, 'expires')
      redis.call('PERSIST', document.key)
    else
      -- What has expired is a tombstone for a while: its versions are not used again.
      redis.call('HSET', document.key, 'expires', from_now(document.keep))
      redis.call('PEXPIRE', document.key, text(math.ceil(tonumber(document.keep) / 1000) + TOMBSTONE_MS))
    end
  elseif document.write == 'delete' and document.version then
    redis.call('HDEL', document.key, 'body', 'expires')
    redis.call('PEXPIRE', document.key, TOMBSTONE_MS)
  end
end

for _, event in ipairs(events) do
  local number = text(redis.call('INCR', root .. ':count:' .. event.stream))
  local key = root .. ':events:' .. event.stream
  if event.keep == '' then
    redis.call('XADD', key, number .. '-0', 'at', now, 'body', event.body)
  else
    redis.call('XADD', key, 'MAXLEN', '~', event.keep, number .. '-0', 'at', now, 'body', event.body)
  end
  redis.call('XADD', root .. ':feed', 'MAXLEN', '~', FEED_LINES, '*', 'stream', event.stream, 'event', number)
end

local function due_key(lane, tenant)
  return root .. ':due:' .. #lane .. ':' .. lane .. ':' .. tenant
end

-- A lane knows each of its tenants by the tenant's earliest entry.
local function note_earliest(lane, tenant)
  local earliest = redis.call('ZRANGE', due_key(lane, tenant), 0, 0, 'WITHSCORES')
  if earliest[1] then
    redis.call('ZADD', root .. ':lane:' .. lane, earliest[2], tenant)
  else
    redis.call('ZREM', root .. ':lane:' .. lane, tenant)
  end
end

local function forget_claim(lane, epoch, id)
  if epoch == '0' then return end
  local key = root .. ':claimed:' .. epoch .. ':' .. lane
  redis.call('ZREM', key, id)
  if redis.call('EXISTS', key) == 0 then
    redis.call('SREM', root .. ':epochs:' .. lane, epoch)
  end
end

local function remove_entry(id)
  local key = root .. ':entry:' .. id
  local found = redis.call('HMGET', key, 'lane', 'tenant', 'epoch')
  if not found[1] then return end
  redis.call('DEL', key)
  redis.call('ZREM', due_key(found[1], found[2]), id)
  note_earliest(found[1], found[2])
  forget_claim(found[1], found[3], id)
end

local function put_entry(id, lane, tenant, due, body)
  remove_entry(id)
  redis.call('HSET', root .. ':entry:' .. id,
    'lane', lane, 'tenant', tenant, 'due', due, 'claims', '0', 'epoch', '0', 'body', body)
  redis.call('ZADD', due_key(lane, tenant), due, id)
  note_earliest(lane, tenant)
end

local function claim_entry(id, due, epoch)
  local key = root .. ':entry:' .. id
  local found = redis.call('HMGET', key, 'lane', 'tenant', 'epoch')
  if not found[1] then return end -- Removed earlier in this very commit.
  redis.call('HSET', key, 'due', due, 'epoch', epoch)
  redis.call('HINCRBY', key, 'claims', 1)
  redis.call('ZADD', due_key(found[1], found[2]), due, id)
  note_earliest(found[1], found[2])
  forget_claim(found[1], found[3], id)
  if epoch ~= '0' then
    redis.call('ZADD', root .. ':claimed:' .. epoch .. ':' .. found[1], due, id)
    redis.call('SADD', root .. ':epochs:' .. found[1], epoch)
  end
end

for _, write in ipairs(outbox) do
  if write.kind == 'put' then
    put_entry(write.id, write.a, write.b, from_now(write.c), write.d)
  elseif write.kind == 'claim' then
    claim_entry(write.id, from_now(write.b), write.c)
  else
    remove_entry(write.id)
  end
end

for _ = 1, tonumber(take()) do
  local kind, index, member, score, number = take(), take(), take(), take(), take()
  local key = root .. ':index:' .. index
  if kind == 'remove' then
    redis.call('ZREM', key, member)
  elseif score == 'from_now' then
    redis.call('ZADD', key, from_now(number), member)
  else
    redis.call('ZADD', key, number, member)
  end
end

redis.call('SET', request, now, 'PX', REPLAY_MS)
return { 'done', now }
