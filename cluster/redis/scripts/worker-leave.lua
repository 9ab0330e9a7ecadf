--[[
A worker leaves by itself: it holds nothing any more, and nobody need wait for its lease to end.

KEYS[1] its report
KEYS[2] set of registered workers
KEYS[3] workers that left, by time
ARGV[1] worker
ARGV[2] for how many ms the others remember

Returns 1.
]]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[2]))
return 1
