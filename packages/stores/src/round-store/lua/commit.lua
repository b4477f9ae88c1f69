--[[
  Writes one batch, all or nothing, fenced by the lease and by the version. Everything is checked before anything is written.

  KEYS[1]  lease    '<epoch> <holder>', with a time to live: gone when it ran out
  KEYS[2]  epoch    counter of grants: the latest epoch
  KEYS[3]  version  number of commits
  KEYS[4]  state    hash of the fields
  KEYS[5]  inbox    list of '<event id>\n<body>'

  ARGV[1]  the lease's epoch
  ARGV[2]  the lease's holder
  ARGV[3]  the version that is expected
  ARGV[4]  number of events consumed at the head of the inbox
  ARGV[5]  prefix of the keys of events; they carry the run's hash tag, like every key here
  ARGV[6]  time to live of a reply in milliseconds
  ARGV[7]  channel of the signals
  ARGV[8]  the signal, to which the new version is added
  ARGV[9]  d: number of fields to drop
  ARGV[10] p: number of fields to put
  ARGV[11] r: number of replies
  then     d fields, p pairs of field and value, r pairs of event id and reply

  Output:  the new version (1 or more)
  Codes:   -1 fenced
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ' ' .. ARGV[2] then
  return -1
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return -1
end
if (redis.call('GET', KEYS[3]) or '0') ~= ARGV[3] then
  return -1
end

-- Lua's unpack gives at most some 8,000 values.
local CHUNK = 4000
local consumed = tonumber(ARGV[4])
local event_prefix, ttl = ARGV[5], ARGV[6]

local function in_chunks(command, key, first, last)
  for from = first, last, CHUNK do
    redis.call(command, key, unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
  end
end

local drops_end = 11 + tonumber(ARGV[9])
local puts_end = drops_end + 2 * tonumber(ARGV[10])
local replies_end = puts_end + 2 * tonumber(ARGV[11])

in_chunks('HDEL', KEYS[4], 12, drops_end)
in_chunks('HSET', KEYS[4], drops_end + 1, puts_end)

local replied = {}
for at = puts_end + 1, replies_end, 2 do
  replied[ARGV[at]] = true
  redis.call('SET', event_prefix .. ARGV[at], 'r' .. ARGV[at + 1], 'PX', ttl)
end

if consumed > 0 then
  -- A consumed event without a reply is still remembered for a while, so that a late repetition is not folded again.
  for _, entry in ipairs(redis.call('LRANGE', KEYS[5], 0, consumed - 1)) do
    local id = string.sub(entry, 1, string.find(entry, '\n', 1, true) - 1)
    if not replied[id] then
      redis.call('SET', event_prefix .. id, 'd', 'PX', ttl)
    end
  end
  redis.call('LTRIM', KEYS[5], consumed, -1)
end

local version = redis.call('INCR', KEYS[3])
redis.call('PUBLISH', ARGV[7], ARGV[8] .. string.format('%.0f', version))
return version
