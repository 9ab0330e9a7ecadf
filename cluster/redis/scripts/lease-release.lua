--[[
Gives back a lease of exactly this term, so that a late release harms no later holder.

KEYS[1] lease
ARGV[1] "<term> <holder>"

Returns 1, or 0 where the term was over already.
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
