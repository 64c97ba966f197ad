--- request.lua - the numbers of core/proc/request.h: operations that core processes answer.

return {
  START_CHILD = 1,
  TERMINATE_CHILD = 2,
  RESTART_CHILD = 3,
  CHILDREN = 4,
  CHILD = 5,
  COUNT_CHILDREN = 6,
  STATS = 7,
  IS_SUPERVISOR = 8,

  CLUSTER_START = 32,
  CLUSTER_STOP = 33,
  CLUSTER_NODES = 34,
  CLUSTER_NODE = 35,
  CLUSTER_STATUS = 36,
  GLOBAL_REGISTER = 37,
  GLOBAL_UNREGISTER = 38,
  GLOBAL_NAMES = 39,
  SUPERVISORS = 40,
  SHUTDOWN = 41,
  STATS_HOST = 42,
  ON_SHUTDOWN = 43,

  EVENT = 64,
  SUBSCRIBE = 65,
  UNSUBSCRIBE = 66,
}
