-- A page of an index, going on behind an entry of the page before even where that entry has moved or gone.
--
-- KEYS[1]  the root of every key
-- ARGV     index, order (ascending | descending), the score and member to go on behind (score empty: from the start), limit
-- Returns  {time, {member, score, member, score, ...}}

local key = KEYS[1] .. ':index:' .. ARGV[1]
local is_descending = ARGV[2] == 'descending'
local after_score, after_member, limit = ARGV[3], ARGV[4], tonumber(ARGV[5])
local range = is_descending and 'ZREVRANGE' or 'ZRANGE'

local clock = redis.call('TIME')
local now = string.format('%.0f', tonumber(clock[1]) * 1000000 + tonumber(clock[2]))

-- Lua's own comparison of texts follows the server's locale; Redis orders by bytes.
local function is_less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local first = 0
if after_score ~= '' then
  if is_descending then
    first = redis.call('ZCOUNT', key, '(' .. after_score, '+inf')
  else
    first = redis.call('ZCOUNT', key, '-inf', '(' .. after_score)
  end
  -- Among the members of the same score, the first that follows.
  local last = first + redis.call('ZCOUNT', key, after_score, after_score)
  while first < last do
    local middle = math.floor((first + last) / 2)
    local member = redis.call(range, key, middle, middle)[1]
    local follows
    if is_descending then
      follows = is_less(member, after_member)
    else
      follows = is_less(after_member, member)
    end
    if follows then last = middle else first = middle + 1 end
  end
end

if limit == 0 then return { now, {} } end -- A range that ends before its start counts from the other end.
return { now, redis.call(range, key, first, first + limit - 1, 'WITHSCORES') }
