--[[
  Grants a run's lease when nobody holds it. The lease's own time to live is what makes it run out: no client's clock is asked.

  KEYS[1]  epoch   counter of grants
  KEYS[2]  lease   '<epoch> <holder>', with a time to live

  ARGV[1]  holder
  ARGV[2]  time to live in milliseconds

  Output:  {the new epoch (1 or more), 0}, or a code and the milliseconds that the lease still holds
  Codes:   0 held, -2 unknownRun
]]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {-2, 0}
end
local held = redis.call('PTTL', KEYS[2])
if held ~= -2 then
  return {0, held}
end
local epoch = redis.call('INCR', KEYS[1])
redis.call('SET', KEYS[2], string.format('%.0f', epoch) .. ' ' .. ARGV[1], 'PX', ARGV[2])
return {epoch, 0}
