/* hiredis.h: hiredis' own header, whose inline functions do not stand up to -Wconversion. */
#ifndef ROSTER_STORE_HIREDIS_H
#define ROSTER_STORE_HIREDIS_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <hiredis.h>
#pragma GCC diagnostic pop

#endif
