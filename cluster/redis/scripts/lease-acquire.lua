--[[
Takes a lease that is free, or that the same holder already has.

KEYS[1] lease: "<term> <holder>"
KEYS[2] last term
ARGV[1] holder
ARGV[2] time to live in ms

Returns the term as text, or nil where another holds it. A term is above every earlier one, also after Redis was
emptied: it is at least the time of the Redis server in microseconds.
]]
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%d+ (.*)$') ~= ARGV[1] then
  return nil
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local term = string.format('%.0f', math.max(last + 1, now))
redis.call('SET', KEYS[2], term)
redis.call('SET', KEYS[1], term .. ' ' .. ARGV[1], 'PX', ARGV[2])
return term
