/* pool.c: see pool.h. */
#include "base/pool.h"

const char *const pool_names[POOL_COUNT] = {
    [POOL_API] = "api",
    [POOL_PASSWORD] = "password",
    [POOL_DIRECTORY] = "directory",
    [POOL_STATUS] = "status",
};

const enum second_socket pool_second[POOL_COUNT] = {
    [POOL_API] = SECOND_SPARED,
    [POOL_PASSWORD] = SECOND_FIRST,
};
