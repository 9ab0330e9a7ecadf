--[[
A process says where its metrics are; those that have not renewed in time are forgotten.

KEYS[1] processes, by the time until which they are believed
ARGV[1] what it says of itself (JSON, always the same)
ARGV[2] for how many ms that holds

Returns 1.
]]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return 1
