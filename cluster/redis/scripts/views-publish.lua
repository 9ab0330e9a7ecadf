--[[
Sets one slot's parts of some windows (protocol P5).

KEYS[1] generation
KEYS[2] head of the slot
KEYS[3] index of the slot's windows
KEYS[4] slots of the pipeline
ARGV[1] generation the publisher knows; '*' where it brings everything
ARGV[2] generation to set where there is none
ARGV[3] slot
ARGV[4] prefix of the slot's parts
ARGV[5] state topic id
ARGV[6] plan epoch of the claim
ARGV[7] highest state offset this publisher has seen here; -1 where none
ARGV[8] watermark; '' leaves it
ARGV[9] number of floors f, then f times: size, start of the first window that stays
then for each window: aggregate, size, start, state offset, time to live in ms (0: none), JSON

Returns {'published', generation, accepted, refused, highest state offset that is here}
     or {'wiped', generation}: Redis was emptied or set back; everything has to be published again
     or {'older'}: parts of another state topic are here, published under a claim as new or newer.
]]
local prefix = ARGV[4]

local function drop(member)
  redis.call('UNLINK', prefix .. member)
  redis.call('ZREM', KEYS[3], member)
end

redis.call('SET', KEYS[1], ARGV[2], 'NX')
local generation = redis.call('GET', KEYS[1])
local head = redis.call('HMGET', KEYS[2], 'topic', 'epoch', 'highest', 'watermark')
local epoch = math.max(tonumber(ARGV[6]), tonumber(head[2] or '-1'))
local highest = tonumber(head[3] or '-1')

if ARGV[1] ~= '*' and (ARGV[1] ~= generation or highest < tonumber(ARGV[7])) then
  return { 'wiped', generation }
end
if head[1] and head[1] ~= ARGV[5] then
  if tonumber(ARGV[6]) <= tonumber(head[2]) then
    return { 'older' }
  end
  for _, member in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    drop(member)
  end
  redis.call('DEL', KEYS[2])
  highest = -1
  head[4] = false
end

local floors = {}
local at = 10
for _ = 1, tonumber(ARGV[9]) do
  local size = ARGV[at]
  local field = 'floor/' .. size
  local floor = math.max(tonumber(ARGV[at + 1]), tonumber(redis.call('HGET', KEYS[2], field) or '0'))
  floors[size] = floor
  redis.call('HSET', KEYS[2], field, string.format('%.0f', floor))
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('(%.0f', floor))) do
    if string.sub(member, 1, #size + 1) == size .. '/' then
      drop(member)
    end
  end
  at = at + 2
end

local function floorOf(size)
  if not floors[size] then
    floors[size] = tonumber(redis.call('HGET', KEYS[2], 'floor/' .. size) or '0')
  end
  return floors[size]
end

local accepted = 0
local refused = 0
while at <= #ARGV do
  local aggregate, size, start = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local offset, life, json = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), ARGV[at + 5]
  local member = size .. '/' .. start
  local part = prefix .. member
  local present = redis.call('HGET', part, aggregate)
  local stored = present and tonumber(string.match(present, '^%d+')) or -1
  if tonumber(start) < floorOf(size) or offset < stored then
    refused = refused + 1
  else
    redis.call('HSET', part, aggregate, ARGV[at + 3] .. ' ' .. json)
    redis.call('ZADD', KEYS[3], start, member)
    if life > 0 then
      redis.call('PEXPIRE', part, life)
    end
    highest = math.max(highest, offset)
    accepted = accepted + 1
  end
  at = at + 6
end

redis.call('HSET', KEYS[2], 'topic', ARGV[5], 'epoch', string.format('%.0f', epoch), 'highest', string.format('%.0f', highest))
if ARGV[8] ~= '' and tonumber(ARGV[8]) > tonumber(head[4] or '-1') then
  redis.call('HSET', KEYS[2], 'watermark', ARGV[8])
end
redis.call('SADD', KEYS[4], ARGV[3])
return { 'published', generation, accepted, refused, string.format('%.0f', highest) }
