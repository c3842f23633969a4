"""The scripts that make an answer's life atomic. Each handles many jobs in one call.

A job's keys, all in one slot: answer, lease, and for FINISH its invalidation mark. On a cluster the caller
sends one call a slot, and notes what was written in the lists by itself; elsewhere one call does it for all.

A lease is text: how often the job was started without an end (4 digits), "1" or "0", then token, job id and
version. It is held while its TTL is above `keep_ms`, a day, for which it is kept beyond its time: what a
poison job leaves behind is its count. A TTL is by Redis' own clock, and PEXPIRE also works in a full Redis.
"1" says that when the lease was taken only an older input's answer was there, if any. Whoever else writes an
answer meanwhile makes it "0", so FINISH need not look at the answer again while it is "1".
"""

from __future__ import annotations

#: ARGV: the caller's now, lease_ms, keep_ms, then a job: its lease's text behind the prefix, not_before.
#: Returns a job: verdict "run", "fresh", "busy" (another job computes it) or "held" (this very job does,
#: or did in a process that died); then how often the job was started, or for "held" the lease's rest in ms.
#: A claim that is sent again counts as one start: a slow Redis must not make a job look like poison.
CLAIM = """
local now, keep_ms, out, a = ARGV[1], tonumber(ARGV[3]), {}, 4
local ttl = keep_ms + ARGV[2]
for k = 1, #KEYS, 2 do
  local lease, verdict, starts, only_older = ARGV[a], 'run', 1, '1'
  local head = redis.call('GETRANGE', KEYS[k], 0, 72)
  if #head > 0 then
    local job, version = string.match(lease, ' (%S+) (%S+)$')
    if #head ~= 73 or string.sub(head, 3, 21) >= version then only_older = '0' end
    if #head == 73 and string.sub(head, 36, 49) > now and (string.sub(head, 50, 73) == job
        or (string.sub(head, 3, 21) >= version and string.sub(head, 22, 35) >= ARGV[a + 1])) then
      verdict, starts = 'fresh', 0
    end
  end
  local held = verdict == 'run'
    and redis.call('SET', KEYS[k + 1], '0001' .. only_older .. lease, 'PX', ttl, 'NX', 'GET')
  if held then
    local token, job, version = string.match(lease, '^(%S+) (%S+) (%S+)$')
    local left, before, flag, holder, holder_job, holder_version = redis.call('PTTL', KEYS[k + 1]) - keep_ms,
      string.match(held, '^(%d%d%d%d)([01])(%S+) (%S+) (%S+)$')
    if not holder then
      -- A worker of an earlier version: no prefix, and no day beyond its time.
      left, before = math.max(left + keep_ms, 1), 0
      holder, holder_job, holder_version = string.match(held, '^(%S+) (%S+) (%S+)$')
    end
    if holder == token then
      starts, only_older = tonumber(before), flag or '0'
    elseif holder and left > 0 and holder_version >= version then
      verdict = holder_job == job and 'held' or 'busy'
      starts = verdict == 'held' and left or 0
    elseif holder_job == job then
      starts = math.min(before + 1, 9999)
    end
    if verdict == 'run' then
      redis.call('SET', KEYS[k + 1], string.format('%04d', starts) .. only_older .. lease, 'PX', ttl)
    end
  end
  a = a + 2
  out[#out + 1] = verdict
  out[#out + 1] = starts
end
return out
"""

#: KEYS: the jobs' own, then the lists that answers are noted in (sorted sets). ARGV: keep_ms, number of
#: jobs, the length of what an answer's name begins with, what a channel's does; then a job: lease, ttl_ms
#: ("0": write nothing), answer, message; and how it is noted where it is written: score, list, last list
#: ("0": none). Returns a job: "written", "released" (nothing to write), "lost" (another computes this version
#: or a newer one), "older" (a newer answer is there), "invalidated".
FINISH = """
local keep_ms, jobs, name_at, channel = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] + 1, ARGV[4]
local out, notes, a = {}, {}, 5
local function note(list, score, key)
  if list == '0' then return end
  local found = notes[list]
  if not found then
    found = {}
    notes[list] = found
  end
  found[#found + 1] = score
  found[#found + 1] = key
end
for k = 1, jobs * 3, 3 do
  local lease, ttl, answer = ARGV[a], ARGV[a + 1], ARGV[a + 2]
  local pair = redis.call('MGET', KEYS[k + 1], KEYS[k + 2])
  local held, mark, verdict = pair[1], pair[2], 'written'
  local mine = held and string.sub(held, 6) == lease
  local name = string.sub(KEYS[k], name_at)
  if ttl == '0' then verdict = 'released'
  elseif mark or not mine or string.sub(held, 5, 5) ~= '1' then
    local head = redis.call('GETRANGE', KEYS[k], 0, 72)
    local version, began = string.sub(answer, 3, 21), string.sub(answer, 22, 35)
    local there, ours = string.sub(head, 3, 35), version .. began
    local other = held and not mine and string.match(held, ' (%S+)$')
    if other and redis.call('PTTL', KEYS[k + 1]) <= keep_ms then other = nil end
    if there == ours then verdict = 'there'
    elseif other and other >= version then verdict = 'lost'
    elseif #head == 73 and there > ours then verdict = 'older'
    elseif mark and mark >= began then verdict = 'invalidated'
    elseif held and not mine then redis.call('SETRANGE', KEYS[k + 1], 4, '0') end
  end
  if verdict == 'written' then redis.call('SET', KEYS[k], answer, 'PX', ttl) end
  if verdict == 'there' then verdict = 'written' end
  if verdict == 'written' then
    local key = string.sub(name, 2, -2)
    note(ARGV[a + 5], ARGV[a + 4], key)
    if ARGV[a + 6] ~= ARGV[a + 5] then note(ARGV[a + 6], ARGV[a + 4], key) end
  end
  if mine then redis.call('DEL', KEYS[k + 1]) end
  redis.call('SPUBLISH', channel .. name, ARGV[a + 3])
  a = a + 7
  out[#out + 1] = verdict
end
for list, found in pairs(notes) do redis.call('ZADD', KEYS[jobs * 3 + list], unpack(found)) end
return out
"""

#: ARGV: lease_ms + keep_ms, then a job: its lease's text. One key a job. Returns 1 where it is still held.
RENEW = """
local out = {}
for k = 1, #KEYS do
  local ok = 0
  if redis.call('GETRANGE', KEYS[k], 5, -1) == ARGV[k + 1] then
    redis.call('PEXPIRE', KEYS[k], ARGV[1])
    ok = 1
  end
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
