-- Prints one line that run reads: requests, errors, seconds, p50, p99 (microseconds).
bad = 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) bad = 0 end
function response(status) if status ~= 200 then bad = bad + 1 end end
function done(summary, latency)
   local not_200 = 0
   for _, thread in ipairs(threads) do not_200 = not_200 + (thread:get("bad") or 0) end
   local e = summary.errors
   io.write(string.format("RESULT %d %d %.3f %d %d\n", summary.requests, not_200 + e.connect + e.read + e.write + e.timeout,
      summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
