-- The load for wrk: the same requests for every server, taken in turn from a file of
-- "<host> <key>" lines, so that each one may be for another portal. Prints its figures as JSON.
-- Requests are made beforehand, since collecting garbage would stall the load and be taken for
-- the server's latency.

local requests, position, saving = {}, 0, false

-- The port has five digits, so that every body has the same length.
local before = '{"host":"mail.example.com","port":'
local after = ',"senderAddress":"notify@example.com","senderDisplayName":"Postman",' ..
  '"credentialsUserName":"notify@example.com",' ..
  '"credentialsUserPassword":"correct horse battery staple","enableSSL":true,"enableAuth":true}'

function init(arguments)
  saving = arguments[2] == "save"
  local first = saving and "POST" or "GET"
  local rest = saving and "Content-Type: application/json\r\nContent-Length: " ..
    (#before + 5 + #after) .. "\r\n\r\n" .. before or "\r\n"
  for line in io.lines(arguments[1]) do
    local host, key = line:match("^(%S+) (%S+)$")
    requests[#requests + 1] = first .. " /api/2.0/smtpsettings/smtp HTTP/1.1\r\nHost: " .. host ..
      "\r\nAuthorization: " .. key .. "\r\n" .. rest
  end
  position = math.random(#requests)
end

function request()
  -- A step that shares no factor with the number of lines visits them all, near ones apart.
  position = (position + 7919) % #requests
  local made = requests[position + 1]
  if not saving then return made end
  -- Another port each time, so that every save is a new revision.
  return made .. math.random(10000, 65535) .. after
end

function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'FIGURES {"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
