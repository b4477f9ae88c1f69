--[[
  Extends a lease that is still held under the same epoch by the same holder.

  KEYS[1]  lease   '<epoch> <holder>', with a time to live

  ARGV[1]  the lease's token '<epoch> <holder>'
  ARGV[2]  time to live in milliseconds, from now

  Codes:   1 done, -1 fenced
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return -1
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
