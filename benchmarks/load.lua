-- The load for wrk: the same requests for every server, taken in turn from a file of
-- "<host> <key>" lines, so that each one may be for another portal. Prints its figures as JSON.

local targets, position, saving = {}, 0, false

function init(arguments)
  saving = arguments[2] == "save"
  for line in io.lines(arguments[1]) do
    local host, key = line:match("^(%S+) (%S+)$")
    targets[#targets + 1] = {host, key}
  end
  position = math.random(#targets)
end

local settings = '{"host":"mail.example.com","port":%d,"senderAddress":"notify@example.com",' ..
  '"senderDisplayName":"Postman","credentialsUserName":"notify@example.com",' ..
  '"credentialsUserPassword":"correct horse battery staple","enableSSL":true,"enableAuth":true}'

function request()
  -- A step that shares no factor with the number of lines visits them all, near ones apart.
  position = (position + 7919) % #targets
  local target = targets[position + 1]
  local headers = {["Host"] = target[1], ["Authorization"] = target[2]}
  if not saving then
    return wrk.format("GET", "/api/2.0/smtpsettings/smtp", headers)
  end
  headers["Content-Type"] = "application/json"
  -- Another port each time, so that every save is a new revision.
  local body = settings:format(1 + math.random(65534))
  return wrk.format("POST", "/api/2.0/smtpsettings/smtp", headers, body)
end

function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'FIGURES {"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
