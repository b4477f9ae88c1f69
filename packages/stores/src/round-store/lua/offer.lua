--[[
  Puts an event at the end of a run's inbox, once.

  KEYS[1]  epoch   exists when the run is known
  KEYS[2]  inbox   list of '<event id>\n<body>'
  KEYS[3]  event   what is known of this event

  ARGV[1]  the element '<event id>\n<body>'
  ARGV[2]  most events that the inbox may hold
  ARGV[3]  channel of the signals
  ARGV[4]  the signal

  Codes:   1 done, -2 unknownRun, -3 repeated, -4 full
]]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return -2
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return -3
end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[2]) then
  return -4
end
redis.call('SET', KEYS[3], 'q')
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
