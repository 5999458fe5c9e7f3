/* title.h: what ps(1) shows for a process. */
#ifndef ROSTER_MASTER_TITLE_H
#define ROSTER_MASTER_TITLE_H

/* Makes the memory of the arguments and of the environment available for a title. Called once, before anything keeps a
 * pointer into either. After it `argv` may be read until the first title_set. */
void title_init(int argc, char **argv);

/* Sets the title, and the short name that killall(1) and pgrep(1) go by: at most 15 bytes. Without title_init only the
 * latter. */
void title_set(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
