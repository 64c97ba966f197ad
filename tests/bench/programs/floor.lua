-- floor.lua: what the kernel alone costs: a small message to another OS process and back over TCP on the loopback, both sides in
-- read() and write(). As a program: floor.lua PORT is the other side.
local ffi = require "ffi"
local C = ffi.C

ffi.cdef [[
  struct floor_addr { uint16_t family; uint16_t port; uint32_t addr; char zero[8]; };
  int socket(int, int, int);
  int bind(int, const void *, unsigned);
  int listen(int, int);
  int accept(int, void *, unsigned *);
  int connect(int, const void *, unsigned);
  int getsockname(int, void *, unsigned *);
  int setsockopt(int, int, int, const void *, unsigned);
  ssize_t read(int, void *, size_t);
  ssize_t write(int, const void *, size_t);
  int close(int);
]]

local SIZE = 100

local function address(port)
  return ffi.new("struct floor_addr", 2, bit.rshift(bit.bswap(port), 16), 0x0100007f)
end

local function open()
  local fd = C.socket(2, 1, 0)
  assert(fd >= 0, "no socket")
  return fd
end

local function undelayed(fd)
  local one = ffi.new("int[1]", 1)
  C.setsockopt(fd, 6, 1, one, 4)
  return fd
end

local function serve(port)
  local fd, buf = undelayed(open()), ffi.new("char[?]", SIZE)
  assert(C.connect(fd, address(port), 16) == 0, "no connection")
  while C.read(fd, buf, SIZE) == SIZE do C.write(fd, buf, SIZE) end
end

local M = {}

---The median of n round trips, in us.
function M.measure(run, n)
  local bench = require "bench"
  local listener, addr, len = open(), address(0), ffi.new("unsigned[1]", 16)
  assert(C.bind(listener, addr, 16) == 0 and C.listen(listener, 1) == 0, "no listener")
  C.getsockname(listener, addr, len)
  run { "run", arg[0]:match("^(.*)/[^/]*$") .. "/floor.lua", tostring(bit.rshift(bit.bswap(addr.port), 16)) }
  local fd, buf, samples = undelayed(C.accept(listener, nil, nil)), ffi.new("char[?]", SIZE), {}
  for i = -200, n do
    local t0 = bench.now()
    C.write(fd, buf, SIZE)
    assert(C.read(fd, buf, SIZE) == SIZE, "the other side is gone")
    if i > 0 then samples[i] = (bench.now() - t0) * 1e6 end
  end
  C.close(fd)
  C.close(listener)
  table.sort(samples)
  return samples[math.ceil(n / 2)]
end

if arg[0]:match("floor%.lua$") then
  serve(tonumber((...)))
  require("dozor").shutdown(0)
end
return M
