-- The load for wrk: batches of messages as /emails/batch takes them, the same for every server, and
-- each message of 50 batches to another recipient: an index of addresses is written all over. Each
-- batch is for the next portal of a file of "<host> <key>" lines. Prints its figures as JSON, as
-- load.lua does. Arguments: the file, messages a batch, octets of each text.

local heads, bodies, turn = {}, {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local host, key = line:match("^(%S+) (%S+)$")
    heads[#heads + 1] = "POST /emails/batch HTTP/1.1\r\nHost: " .. host ..
      "\r\nAuthorization: Bearer " .. key .. "\r\nContent-Type: application/json"
  end
  local messages, octets = tonumber(arguments[2]), tonumber(arguments[3])
  local line = ("All work and no play makes a dull benchmark of every queue. "):sub(1, 59)
  local text = (line .. "\\n"):rep(math.ceil(octets / 60))
  for batch = 1, 50 do
    local several = {}
    for message = 1, messages do
      -- Far apart from the one before in the order of addresses.
      local reader = (batch * messages + message) * 7919 % 1000003
      several[message] = '{"from":"notify@example.com","to":"reader' .. reader ..
        '@example.org","subject":"Benchmark","text":"' .. text .. '"}'
    end
    local body = "[" .. table.concat(several, ",") .. "]"
    bodies[batch] = "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  end
end

function request()
  turn = turn + 1
  return heads[turn % #heads + 1] .. bodies[turn % #bodies + 1]
end

function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'FIGURES {"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
