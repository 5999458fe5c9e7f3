#include "api/processes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The files of a process that every user may read, unlike /proc/PID/status of one that is hidden (memory_hide). */
static bool read_file(int32_t pid, const char *name, char *content_r, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId32 "/%s", pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, content_r, size - 1) : -1;
    if (file >= 0) {
        close(file);
    }
    content_r[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* proc_pid_statm(5): pages. */
static bool read_memory(int32_t pid, int64_t *own_r, int64_t *shared_r)
{
    char content[256];
    int64_t resident, shared;
    if (!read_file(pid, "statm", content, sizeof content) ||
        sscanf(content, "%*s %" SCNd64 " %" SCNd64, &resident, &shared) != 2) {
        return false;
    }
    *own_r = resident - shared;
    *shared_r = shared;
    return true;
}

/* proc_pid_stat(5): utime, stime, cutime and cstime follow eleven fields after the name, which may contain anything. */
static bool read_ticks(int32_t pid, int64_t *ticks_r)
{
    char content[1024];
    int64_t own, of_system, of_children, of_their_system;
    const char *name_end = read_file(pid, "stat", content, sizeof content) ? strrchr(content, ')') : NULL;
    if (name_end == NULL ||
        sscanf(name_end + 1,
               " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &own,
               &of_system, &of_children, &of_their_system) != 4) {
        return false;
    }
    *ticks_r = own + of_system + of_children + of_their_system;
    return true;
}

void processes_read(int32_t master, const struct scoreboard_worker *workers, size_t count,
                    struct process_figures *figures_r)
{
    int64_t own = 0, shared = 0, ticks = 0, process_own, process_shared, process_ticks;
    bool has_memory = false, has_time = false;
    for (size_t i = 0; i <= count; i++) {
        const int32_t pid = i < count ? workers[i].pid : master;
        if (read_memory(pid, &process_own, &process_shared)) {
            own += process_own;
            shared = process_shared > shared ? process_shared : shared;
            has_memory = true;
        }
        if (read_ticks(pid, &process_ticks)) {
            ticks += process_ticks;
            has_time = true;
        }
    }
    figures_r->resident_bytes = has_memory ? (own + shared) * sysconf(_SC_PAGESIZE) : -1;
    figures_r->cpu_microseconds = has_time ? ticks * INT64_C(1000000) / sysconf(_SC_CLK_TCK) : -1;
}
