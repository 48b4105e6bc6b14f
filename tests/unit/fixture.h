/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic databases for tests of the query tool: real files with the real schema, filled row by
 * row, so that a test says only what it is about. Everything else is plausible and the same every
 * time.
 */
#ifndef LINEAGED_TESTS_FIXTURE_H
#define LINEAGED_TESTS_FIXTURE_H

#include <stdint.h>

#include "schema/schema.h"

/* The first boot's clock: 2026-11-20 00:00:00 UTC is boot time 0. */
#define FIXTURE_EPOCH_NS 1795132800000000000LL
#define FIXTURE_SECOND	 1000000000LL

struct fixture {
	char path[64];
	sqlite3 *db;
	int64_t next_text, next_image, next_process, next_exec;
};

/* One process; what is 0 takes a default. */
struct fixture_process {
	int boot; /* 1 */
	int64_t pid, start_ns;
	int64_t parent;			     /* process_id */
	const char *exe, *args;		     /* NULL exe: inherited from the parent */
	int64_t exec_after_ns, end_after_ns; /* end 0: runs */
	int status;
	int birth, image_provenance, end; /* PROVENANCE_* */
	int64_t context;		  /* 1: root; 2: uid 1000; 3: uid 1000 in a container */
};

/* A new database with boot 1, recorded without a gap from boot time 0 to 10 days. */
void fixture_init(struct fixture *f);
void fixture_deinit(struct fixture *f);
/* Runs SQL made as by sqlite3_mprintf (%Q quotes); a failure ends the test. */
void fixture_sql(struct fixture *f, const char *format, ...);
int64_t fixture_text(struct fixture *f, const char *value);
int64_t fixture_image(struct fixture *f, const char *exe, const char *args);
/* What an exec that failed asked for, as it is recorded: a name, no executable. */
int64_t fixture_attempt(struct fixture *f, const char *filename, const char *args);
int64_t fixture_process(struct fixture *f, const struct fixture_process *p);
/* An image before the latest one. */
void fixture_exec(struct fixture *f, int64_t process, int64_t boot_ns, const char *exe,
		  const char *args);
/* Computes `zone` and closes the writer, so that readers see a finished file. */
void fixture_finish(struct fixture *f);

/*
 * Runs `lineage-query ARGUMENTS` through the shell, in UTC, where each %s is the database, and a
 * pipe may follow; what was printed to stdout and stderr is in *ret_output until the next call. Its
 * exit status.
 */
int fixture_ask(const struct fixture *f, const char *arguments, const char **ret_output);

/*
 * systemd(1) - sshd(100) - bash(200) - { make(300) - 3 x cc(301..303), a fork (310) that never
 * executed, pid 400 used twice }. Returns with the file finished.
 */
void fixture_small(struct fixture *f);

#endif
