-- What wrk sends, and what it tells at its end: one line of JSON.
wrk.method = "POST"
wrk.body = '{"model":"bot","prompt":"Where is my parcel? I ordered it nine days ago, and the tracking page says nothing.","max_tokens":64}'
wrk.headers["content-type"] = "application/json"

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"badAnswers":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
