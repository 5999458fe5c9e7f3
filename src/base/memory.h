/* memory.h: exits when the system is out of memory, and overwrites freed memory.
 *
 * memory.c defines malloc, calloc, realloc and free for the whole process, as thin wrappers of those of the C library.
 * So both properties hold for libraries, too: json-c, for example, silently leaves out members of an object when it
 * gets no memory.
 * Both are off until the functions below enable them.
 * With a sanitizer, which has its own allocator, neither has an effect. A sanitizer ends the process itself. */
#ifndef ROSTER_BASE_MEMORY_H
#define ROSTER_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* From now on an allocation that fails, also in a library, logs an alert and ends the process with EX_OSERR.
 * Memory that a library maps itself (libscrypt) is not covered. */
void memory_end_on_failure(void);

/* From now on memory is overwritten before it is freed: buffers of libfcgi, json-c and other libraries hold passwords
 * and tokens. */
void memory_wipe_freed(void);

/* Until the next call, no more than the first `bytes` of a piece are overwritten before it is freed. SIZE_MAX:
 * everything is. For a library that frees large buffers, where it is known how much was written to any of them. */
void memory_wipe_at_most(size_t bytes);

/* True where the three above have an effect. */
bool memory_is_ours(void);

/* Sets the function that memory_give_up calls before it ends the process; `size` in bytes.
 * log.c sets one that logs an alert. The default writes a line to standard error. */
void memory_report_with(void (*report)(size_t size));

/* Reports, and ends the process with EX_OSERR. */
void memory_give_up(size_t size) __attribute__((noreturn));

/* Protects secrets from core files and from other processes of the same user: PR_SET_DUMPABLE and RLIMIT_CORE. */
void memory_hide(void);

/* Suspends memory_hide (true) or restores it (false): some files of /proc/self can't be opened while it is in effect.
 * Only around open(2). */
void memory_show(bool shown);

/* Memory for a key or a password of the configuration, on its own pages, which are not part of core files.
 * Never NULL.
 * The caller frees it with memory_secret_free. */
void *memory_secret_alloc(size_t size) __attribute__((returns_nonnull));

/* Overwrites and frees a secret. NULL is allowed. */
void memory_secret_free(void *secret);

#endif
