--[[
  Some fields of the state with its version, one consistent view.

  KEYS[1]  version  number of commits
  KEYS[2]  state    hash of the fields

  ARGV     the fields

  Output:  { version or '0', value or nil, value or nil … }
]]
-- Lua's unpack gives at most some 8,000 values.
local CHUNK = 4000
local answer = { redis.call('GET', KEYS[1]) or '0' }
for from = 1, #ARGV, CHUNK do
  for _, value in ipairs(redis.call('HMGET', KEYS[2], unpack(ARGV, from, math.min(from + CHUNK - 1, #ARGV)))) do
    answer[#answer + 1] = value
  end
end
return answer
