include(${CMAKE_CURRENT_LIST_DIR}/dozor-targets.cmake)
