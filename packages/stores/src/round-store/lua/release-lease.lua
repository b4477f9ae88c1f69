--[[
  Gives a lease back. A lease of another epoch or holder is left alone.

  KEYS[1]  lease   '<epoch> <holder>', with a time to live

  ARGV[1]  the lease's token '<epoch> <holder>'

  Codes:   1 done, -1 fenced
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return -1
end
redis.call('DEL', KEYS[1])
return 1
