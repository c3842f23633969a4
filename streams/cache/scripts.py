"""The two scripts that make an answer's life atomic. Each handles many jobs in one call.

Four keys a job, all in one slot: answer, lease, starts, invalidation mark. On a cluster the caller sends
one call a slot; elsewhere one call for all.
"""

from __future__ import annotations

#: ARGV: now, lease_ms, starts_ttl_s, then a job: token, version, not_before, job id.
#: Returns a job: verdict "run", "fresh", "busy" (another job computes it) or "held" (this very job does,
#: or did in a process that died); then how often the job was started, or for "held" the lease's rest in ms.
#: A claim that is sent again counts as one start: a slow Redis must not make a job look like poison.
CLAIM = """
local now, lease_ms, starts_ttl = ARGV[1], ARGV[2], ARGV[3]
local out, a = {}, 4
for k = 1, #KEYS, 4 do
  local token, version, not_before, job = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  a = a + 4
  local head = redis.call('GETRANGE', KEYS[k], 0, 72)
  local verdict, again = 'run', false
  if #head == 73 and string.sub(head, 36, 49) > now and (string.sub(head, 50, 73) == job
      or (string.sub(head, 3, 21) >= version and string.sub(head, 22, 35) >= not_before)) then
    verdict = 'fresh'
  else
    local held = redis.call('GET', KEYS[k + 1])
    if held then
      local holder, holder_job, holder_version = string.match(held, '^(%S+) (%S+) (%S+)$')
      if holder == token then again = true
      elseif holder_version >= version then
        verdict = holder_job == job and 'held' or 'busy'
      end
    end
  end
  local starts = 0
  if verdict == 'held' then starts = redis.call('PTTL', KEYS[k + 1]) end
  if verdict == 'run' then
    redis.call('SET', KEYS[k + 1], token .. ' ' .. job .. ' ' .. version, 'PX', lease_ms)
    local before = redis.call('GET', KEYS[k + 2])
    if before then
      local id, n = string.match(before, '^(%S+) (%d+)$')
      if id == job then starts = tonumber(n) end
    end
    if not again then starts = starts + 1 end
    redis.call('SET', KEYS[k + 2], job .. ' ' .. starts, 'EX', starts_ttl)
  end
  out[#out + 1] = verdict
  out[#out + 1] = starts
end
return out
"""

#: ARGV: a job: lease, version, started_at, ttl_ms ("0": write nothing), answer, channel, message.
#: Returns a job: "written", "released" (nothing to write), "lost" (another computes this version or a newer
#: one), "older" (a newer answer is there), "invalidated".
FINISH = """
local out, a = {}, 1
for k = 1, #KEYS, 4 do
  local lease, version, started, ttl = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local answer, channel, message = ARGV[a + 4], ARGV[a + 5], ARGV[a + 6]
  a = a + 7
  local held = redis.call('GET', KEYS[k + 1])
  local mine = held == lease
  local other = held and not mine and string.match(held, ' (%S+)$')
  local verdict = 'released'
  if ttl ~= '0' then
    local head = redis.call('GETRANGE', KEYS[k], 0, 72)
    local there = string.sub(head, 3, 35)
    local mark = redis.call('GET', KEYS[k + 3])
    if there == version .. started then verdict = 'written'
    elseif other and other >= version then verdict = 'lost'
    elseif #head == 73 and there > version .. started then verdict = 'older'
    elseif mark and mark >= started then verdict = 'invalidated'
    else
      redis.call('SET', KEYS[k], answer, 'PX', ttl)
      verdict = 'written'
    end
  end
  if mine then redis.call('DEL', KEYS[k + 1], KEYS[k + 2]) end
  redis.call('SPUBLISH', channel, message)
  out[#out + 1] = verdict
end
return out
"""

#: ARGV: lease_ms, then a job: its lease. One key a job. Returns 1 where it is still held.
RENEW = """
local out, a = {}, 2
for k = 1, #KEYS do
  local ok = 0
  if redis.call('GET', KEYS[k]) == ARGV[a] then
    redis.call('PEXPIRE', KEYS[k], ARGV[1])
    ok = 1
  end
  a = a + 1
  out[#out + 1] = ok
end
return out
"""

#: ARGV: mark (ms, 14 digits), mark_ttl_s. Three keys an answer: answer, mark, asked. Returns for each: 0
#: where there was none, 1 where it is gone, 2 where it was begun after the mark and stays.
INVALIDATE = """
local out = {}
for k = 1, #KEYS, 3 do
  local head = redis.call('GETRANGE', KEYS[k], 0, 48)
  local did = 0
  if #head > 0 then
    if #head == 49 and string.sub(head, 22, 35) > ARGV[1] then did = 2
    else
      redis.call('DEL', KEYS[k])
      did = 1
    end
  end
  local mark = redis.call('GET', KEYS[k + 1])
  if not mark or mark < ARGV[1] then redis.call('SET', KEYS[k + 1], ARGV[1], 'EX', ARGV[2]) end
  redis.call('DEL', KEYS[k + 2])
  out[#out + 1] = did
end
return out
"""

#: KEYS: the floors, their text. ARGV: mark (ms), then task names or *. A floor never sinks.
RAISE_FLOORS = """
for a = 2, #ARGV do
  local old = tonumber(redis.call('HGET', KEYS[1], ARGV[a]) or 0)
  if tonumber(ARGV[1]) > old then redis.call('HSET', KEYS[1], ARGV[a], ARGV[1]) end
end
local all, lines = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do lines[#lines + 1] = all[i] .. '=' .. all[i + 1] end
redis.call('SET', KEYS[2], table.concat(lines, '\\n'))
return #lines
"""
