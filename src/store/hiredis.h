/* hiredis.h: includes hiredis' header without -Wconversion, since its inline functions cause warnings. */
#ifndef ROSTER_STORE_HIREDIS_H
#define ROSTER_STORE_HIREDIS_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <hiredis.h>
#pragma GCC diagnostic pop

#endif
