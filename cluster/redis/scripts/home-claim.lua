--[[
Says whose these keys are, where nobody has said it yet.

KEYS[1] home
ARGV[1] who claims

Returns who has claimed.
]]
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
