-- The load for wrk: one page, asked for with a session's cookie. Prints its figures as JSON.

function init(arguments)
  wrk.path = arguments[1]
  wrk.headers["Cookie"] = "asc_auth_key=" .. arguments[2]
  wrk.headers["Host"] = arguments[3]
end

function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'FIGURES {"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
