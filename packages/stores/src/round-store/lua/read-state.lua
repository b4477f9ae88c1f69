--[[
  The whole state and its version, one consistent view.

  KEYS[1]  version  number of commits
  KEYS[2]  state    hash of the fields

  Output:  nil without a commit, else { version, { field, value, field, value … } }
]]
local version = redis.call('GET', KEYS[1])
if not version then
  return nil
end
return { version, redis.call('HGETALL', KEYS[2]) }
