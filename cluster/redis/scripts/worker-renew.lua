--[[
A worker says that it lives.

KEYS[1] its report, which is its lease
KEYS[2] set of registered workers
KEYS[3] workers that left
ARGV[1] worker
ARGV[2] report (JSON)
ARGV[3] time to live in ms

Returns 1.
]]
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
