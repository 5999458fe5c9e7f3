/* title.h: the title of a process in ps(1). */
#ifndef ROSTER_MASTER_TITLE_H
#define ROSTER_MASTER_TITLE_H

/* Reserves the memory of the arguments and of the environment for the title.
 * Called once, before any code keeps a pointer into either. `argv` is valid until the first title_set. */
void title_init(int argc, char **argv);

/* Sets the title to `format`, and the short name, which killall(1) and pgrep(1) use, to `name`: at most 15 bytes.
 * Without title_init, sets only the short name. */
void title_set(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
