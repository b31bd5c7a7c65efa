-- Creates image streams, each request another one.
local started = os.time()
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  created = 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  created = created + 1
  local name = string.format("created-%d-%d-%d", started, number, created)
  local body = string.format('{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"%s",'
    .. '"labels":{"app":"bench"}},"spec":{"lookupPolicy":{"local":false},"tags":[]}}', name)
  return wrk.format(nil, nil, nil, body)
end
