/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What really happened, told by those who did it: one JSON object per process on descriptor 7.
 *
 * Keys are those of the table `seen` in tests/live/seen.sql, which is what the database says; a key
 * that ends in _min or _max is a bound for the key without it. Facts come from /proc (descriptor 8,
 * so that they can be had behind chroot and in other namespaces), wait(2) and the program's own
 * arguments, never from lineaged.
 */
#ifndef LIVE_TRUTH_H
#define LIVE_TRUTH_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define TRUTH_FD 7
#define PROC_FD	 8

struct truth {
	FILE *memory;
	char *text;
	size_t length;
};

/* Begins the line of a process; pid 0 is the caller. Its pid and start come from /proc. */
void truth_begin(struct truth *truth, pid_t pid);
void truth_number(struct truth *truth, const char *key, long long value);
void truth_string(struct truth *truth, const char *key, const char *value);
void truth_strings(struct truth *truth, const char *key, int count, char *const *values);
/* Upper case hex, as SQLite's hex() writes it. */
void truth_bytes(struct truth *truth, const char *key, const void *data, size_t length);
/* Members as JSON text, such as "script":1; NULL adds nothing. */
void truth_members(struct truth *truth, const char *members);
/* Writes the line in one piece. */
void truth_end(struct truth *truth);

/* Waits for a child and tells pid, start, ppid and how it ended. Returns the wait status. */
int truth_reap(pid_t pid, const char *members);

/* From /proc/PID/stat; pid 0 is the caller. */
struct proc_stat {
	pid_t pid; /* in the PID namespace of that /proc */
	pid_t ppid, pgid, sid;
	unsigned long long start_ticks;
};
void proc_stat(pid_t pid, struct proc_stat *ret);
/* A file of /proc into a string that the caller frees; *ret_length may be NULL. */
char *proc_read(pid_t pid, const char *name, size_t *ret_length);

/* Ends the program with a sentence: nothing that a helper does may fail. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);

/* Milliseconds. */
void pause_ms(long ms);

/* Becomes tests/live/helpers/show with these arguments; members go into what it tells. */
__attribute__((noreturn)) void become_show(const char *members, char *const *args);
/* Path of a program beside this one. Static storage. */
const char *beside(const char *name);
/* Sets the environment from which show takes its members. */
__attribute__((format(printf, 1, 2))) void show_members(const char *fmt, ...);

/*
 * A table of cases is the main program: PROGRAM CASE [ARGUMENT]. It returns when everything that
 * the case has started has ended, orphans included.
 */
struct live_case {
	const char *name;
	void (*run)(const char *argument);
};
int live_main(int argc, char **argv, const struct live_case *cases);

#endif
