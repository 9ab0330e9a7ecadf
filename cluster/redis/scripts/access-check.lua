-- What of the commands that Millrace and its queue need this user may not run on its keys.
-- KEYS[1] any key of ours, it is not touched
-- returns {command, ...}; empty where all is allowed, and on Redis before 7, which cannot tell
if redis.acl_check_cmd == nil then
  return {}
end
local key = KEYS[1]
local needed = {
  { 'GET', key }, { 'SET', key, '' }, { 'DEL', key }, { 'UNLINK', key }, { 'EXISTS', key }, { 'INCR', key },
  { 'PEXPIRE', key, 1 }, { 'PTTL', key }, { 'TYPE', key }, { 'RENAME', key, key }, { 'TIME' },
  { 'HGET', key, '' }, { 'HSET', key, '', '' }, { 'HMGET', key, '' }, { 'HGETALL', key }, { 'HDEL', key, '' }, { 'HINCRBY', key, '', 1 },
  { 'SADD', key, '' }, { 'SREM', key, '' }, { 'SMEMBERS', key },
  { 'ZADD', key, 1, '' }, { 'ZREM', key, '' }, { 'ZRANGE', key, 0, 0 }, { 'ZRANGEBYSCORE', key, 0, 0 }, { 'ZREMRANGEBYSCORE', key, 0, 0 },
  { 'ZPOPMIN', key }, { 'BZPOPMIN', key, 1 }, { 'LPUSH', key, '' }, { 'LRANGE', key, 0, 0 }, { 'LREM', key, 0, '' }, { 'RPOPLPUSH', key, key },
  { 'XADD', key, '*', '', '' }, { 'XTRIM', key, 'MAXLEN', 0 },
}
local missing = {}
for _, command in ipairs(needed) do
  if not redis.acl_check_cmd(unpack(command)) then
    missing[#missing + 1] = command[1]
  end
end
return missing
