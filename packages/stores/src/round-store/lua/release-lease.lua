--[[
  Gives a lease back. A lease of another epoch or holder is left alone.

  KEYS[1]  lease   '<epoch> <holder>', with a time to live

  ARGV[1]  the lease's token '<epoch> <holder>'
  ARGV[2]  the channel of signals
  ARGV[3]  what to say there

  Codes:   1 done, -1 fenced
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return -1
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
