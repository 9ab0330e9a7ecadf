--[[
Who lives, who left, and whether Redis was emptied. Forgets the workers whose lease has ended.

KEYS[1] set of registered workers
KEYS[2] workers that left
KEYS[3] generation
ARGV[1] prefix of the reports' keys
ARGV[2] generation to set where there is none

Returns {generation, {report, ...}, {left worker, ...}}.
]]
redis.call('SET', KEYS[3], ARGV[2], 'NX')
local reports = {}
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local report = redis.call('GET', ARGV[1] .. worker)
  if report then
    reports[#reports + 1] = report
  else
    redis.call('SREM', KEYS[1], worker)
  end
end
return { redis.call('GET', KEYS[3]), reports, redis.call('ZRANGE', KEYS[2], 0, -1) }
