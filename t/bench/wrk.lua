-- The load, for wrk. Prints one line: RESULT, requests, errors, seconds, p50, p99 (microseconds), and the latencies
-- (microseconds) at the percentiles that a drawing has: 1 - 10^(-n/8), n from 0 to 24.
--
-- After --, the name of a file may stand: its lines are requests (method, path, token, body, with tabs between), which
-- are sent in turn, from some line on: in each load all lines equally often, but for one. COUNT in a body is another number each time. Without it: the request that wrk's
-- own arguments say.

local requests, bodies, turn, number = {}, {}, 0, 0

local function read_requests(file)
   for line in io.lines(file) do
      local method, path, token, body = line:match("^(%S+)\t(%S+)\t(%S*)\t(.*)$")
      local headers = {["Host"] = wrk.headers["Host"]}
      if token ~= "" then headers["Authorization"] = "Bearer " .. token end
      if body ~= "" then headers["Content-Type"] = "application/json" end
      local place = #requests + 1
      if body:find("COUNT") then bodies[place] = {method, path, headers, body} end
      requests[place] = wrk.format(method, path, headers, body ~= "" and body or nil)
   end
end

local function next_request()
   turn = turn % #requests + 1
   local changing = bodies[turn]
   if not changing then return requests[turn] end
   number = number + 1
   local method, path, headers, body = unpack(changing)
   return wrk.format(method, path, headers, (body:gsub("COUNT", string.format("%d", number))))
end

function init(args)
   if not args[1] then return end
   local random = io.open("/dev/urandom", "rb")
   local a, b, c = random:read(3):byte(1, 3)
   random:close()
   read_requests(args[1])
   local start = (a * 256 + b) * 256 + c
   number = start * 1000
   turn = start % #requests
   request = next_request
end

function done(summary, latency)
   local e, points = summary.errors, {}
   for n = 0, 24 do points[n + 1] = string.format("%d", latency:percentile(100 * (1 - 10 ^ (-n / 8)))) end
   io.write(string.format("RESULT %d %d %.3f %d %d %s\n", summary.requests,
      e.status + e.connect + e.read + e.write + e.timeout, summary.duration / 1e6, latency:percentile(50),
      latency:percentile(99), table.concat(points, " ")))
end
