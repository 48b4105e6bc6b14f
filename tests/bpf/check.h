/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the groups of checks share: a stage on which recorded processes act, and the counting of
 * results.
 */
#ifndef TEST_BPF_CHECK_H
#define TEST_BPF_CHECK_H

#include <stdarg.h>

#include "recorder.h"

#define PATH_SIZE 6000

struct stage {
	const char *directory; /* scratch files; holds "prog", a copy of this binary */
	char cgroup[200];
	__u64 cgroup_id;
	bool no_paths; /* this kernel cannot give them: lockdown=confidentiality before 6.2 */
	/* Written by recorded processes, read by the checks. */
	struct {
		volatile pid_t pid, forked;
		int status;
	} * shared;
};

extern struct stage stage;

void check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check_skip(const char *what, const char *why);
void check_text(const char *what, const char *got, const char *wanted);
void check_number(const char *what, __u64 got, __u64 wanted);

void stage_enter(void);
pid_t stage_run(void (*act)(void *arg), void *arg, void (*look)(pid_t pid));
bool stage_holds(pid_t pid);
void stage_path(char path[PATH_SIZE], const char *name);
int stage_copy(const char *name);

/* This binary as a recorded program: "act-hold" stops itself, "act-exit N" ends, and so on. */
int act_main(int argc, char **argv);

/* The groups. */
void images_run(void);
void ids_run(void);
void exits_run(int races);
void failures_run(void);
void filter_run(void);
void bench_run(int spawns, int jobs);

#endif
