-- What wrk sends: `wrk ... URL -- write RECORDS RUN`, or `read` or `get` instead; one thread only.
-- Prints what it measured as one line of JSON that begins with "result ".

local mode, records, path
local number = 0
-- Every document differs from the one that it replaces: SQLite writes and syncs nothing for a row that
-- is replaced by its equal.
local round = 0
local message

function init(arguments)
  mode = arguments[1]
  records = tonumber(arguments[2])
  path = wrk.path
  message = string.format("%s run %s round ", string.rep("m", 48), arguments[3])
end

function request()
  number = number % records + 1
  if number == 1 then
    round = round + 1
  end
  if mode == "write" then
    local body = '{"id":' .. number .. ',"msg":"' .. message .. round .. '"}'
    return "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host
      .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  end
  if mode == "read" then
    return "GET " .. path .. "/" .. number .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
  end
  return "GET " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
