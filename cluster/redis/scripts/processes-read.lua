--[[
Which processes live. Forgets those that have not renewed in time.

KEYS[1] processes, by the time until which they are believed

Returns {what a process says of itself, ...}.
]]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
