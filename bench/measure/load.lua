-- wrk -s load.lua … -- METHOD PATH
-- Repeats one request; a POST carries a message of its own each time. Prints what it measured as
-- JSON on a line that begins with RESULT, for measure/wrk.py.

local texts = {
  "쿠버네티스에 마당을 올렸습니다. 파드 세 개가 모두 Ready 상태이고 Kafka 로그도 바로 보입니다.",
  "오늘 배포는 조용히 끝났습니다. The rollout took forty seconds and no request was dropped.",
  "점심 같이 드실 분?",
  "Redis를 껐다 켜도 로그인은 그대로네요. 세션이 데이터베이스에 있기 때문입니다.",
  "마당이 느리면 먼저 GET /api/stats/calls 의 p95를 보고, 그다음에 스풀의 크기를 봅니다.",
  "How do I read the history of one user only? 사용자 이름으로 거르면 됩니다.",
  "회의록: 첫째, 파티션을 여섯 개로 늘린다. 둘째, 보관 기간은 삼십 일로 한다. 셋째, 다음 주에 다시 잰다.",
  "감사합니다!",
}

local method, path, fixed
local number = 0

function init(args)
  method, path = args[1], args[2]
  if method == "POST" then
    wrk.headers["Content-Type"] = "application/json"
  else
    fixed = wrk.format(method, path)
  end
end

function request()
  if fixed then
    return fixed
  end
  number = number + 1
  local text = texts[number % #texts + 1]
  return wrk.format(method, path, nil, '{"body":"' .. text .. " #" .. number .. '"}')
end

function done(summary, latency)
  local counts = {}
  for index = 1, #latency do
    local value, count = latency(index)
    counts[index] = string.format("[%d,%d]", value, count)
  end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"latency_us":[%s]}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, table.concat(counts, ",")
  ))
end
