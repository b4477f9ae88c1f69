--[[
  Grants a run's lease when nobody holds it. The lease's own time to live is what makes it run out: no client's clock is asked.

  KEYS[1]  epoch   counter of grants
  KEYS[2]  lease   '<epoch> <holder>', with a time to live

  ARGV[1]  holder
  ARGV[2]  time to live in milliseconds

  Output:  the new epoch (1 or more)
  Codes:   0 held, -2 unknownRun
]]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return -2
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
local epoch = redis.call('INCR', KEYS[1])
redis.call('SET', KEYS[2], string.format('%.0f', epoch) .. ' ' .. ARGV[1], 'PX', ARGV[2])
return epoch
