--[[
Prolongs a lease of exactly this term.

KEYS[1] lease
ARGV[1] "<term> <holder>"
ARGV[2] time to live in ms

Returns 1, or 0 where the term is over.
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
