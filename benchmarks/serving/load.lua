-- wrk: sends the bodies of a file in turn, counts statuses, and prints what it found as one line of JSON.
local bodies, at = {}, 0
statuses = ""

function setup(thread)
  threads = threads or {}
  table.insert(threads, thread)
end

function init(arguments)
  for line in io.lines(arguments[1]) do
    bodies[#bodies + 1] = wrk.format("POST", "/v1/answer", { ["Content-Type"] = "application/json" }, line)
  end
  counts = {}
end

function request()
  at = at % #bodies + 1
  return bodies[at]
end

function response(status)
  counts[status] = (counts[status] or 0) + 1
  local parts = {}
  for code, count in pairs(counts) do
    parts[#parts + 1] = string.format('"%d": %d', code, count)
  end
  statuses = table.concat(parts, ", ")
end

function done(summary, latency)
  local seen = {}
  for _, thread in ipairs(threads) do
    seen[#seen + 1] = "{" .. thread:get("statuses") .. "}"
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.3f, "p50_ms": %.1f, "p99_ms": %.1f, "connect": %d, "read": %d, "write": %d,'
      .. ' "timeout": %d, "statuses": [%s]}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect, errors.read, errors.write, errors.timeout, table.concat(seen, ", ")))
end
