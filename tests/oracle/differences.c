#include "differences.h"

#include <stddef.h>

#define ENTRY(name, how, why) {#name, #how, why},
const struct difference differences[] = {DIFFERENCES(ENTRY){NULL, NULL, NULL}};
