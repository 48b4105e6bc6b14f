/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorder without BPF programs: the real one, over maps of the kernel and a file that is laid
 * out as the kernel lays out a ring buffer, into which tests put records.
 *
 * Each builder takes the next sequence number of its CPU, as the programs do; synthetic_lose()
 * takes one and sends nothing. Times are told in milliseconds after s->base_ns.
 */
#ifndef LINEAGED_TESTS_SYNTHETIC_H
#define LINEAGED_TESTS_SYNTHETIC_H

#include "daemon/recorder.h"

#define SYNTHETIC_CPUS 2

struct synthetic {
	struct recorder recorder;
	struct probe probe;
	struct lineage_control control;
	char directory[64], path[80];
	int ring_fd;
	char *ring; /* consumer page, producer page, data, data again */
	size_t page, bytes, mapped;
	uint64_t first_seq[SYNTHETIC_CPUS]; /* for synthetic_count() */
	uint64_t next_seq[SYNTHETIC_CPUS];
	uint64_t base_ns;
	uint32_t exit_flags; /* of the exits to come */
	sqlite3 *reader;
	int iterator[3]; /* what it writes, program, link; see synthetic_runs() */
};

/* False, and says why, where this user may not make maps of the kernel. */
bool synthetic_possible(void);

/* 0, or a negative errno where this machine does not let us make maps. ring_bytes: power of two. */
int synthetic_init(struct synthetic *s, size_t ring_bytes);
void synthetic_deinit(struct synthetic *s);

/* recorder_init() and recorder_open(), as at a start of the daemon; maps and ring stay as they are.
 */
void synthetic_start(struct synthetic *s);
/* What SIGKILL leaves: nothing is written any more. */
void synthetic_kill(struct synthetic *s);
/* The database goes, and with it whatever lies beside it. */
void synthetic_remove(struct synthetic *s);
/* Batches until the ring has been read. */
void synthetic_drain(struct synthetic *s);

struct lineage_key synthetic_key(const struct synthetic *s, uint32_t pid, int64_t ms);

/* Takes a number as an event does that finds no room, and returns it. */
uint64_t synthetic_lose(struct synthetic *s, int cpu);
/* Says in `counters` what numbers have been taken. */
void synthetic_count(struct synthetic *s);
/* Goes on with the numbers that `counters` says. */
void synthetic_read_counters(struct synthetic *s);
void synthetic_cache(struct synthetic *s, struct lineage_key key, const struct lineage_process *p);

/*
 * From now on the task iterator finds these, whatever runs; count 0: nothing at all. False, and
 * says why, where iterators cannot be made.
 */
#define SYNTHETIC_RUNS_MAX 32
bool synthetic_runs(struct synthetic *s, const struct lineage_snapshot *what, size_t count);

/* Raw bytes as a record. */
void synthetic_put(struct synthetic *s, const void *bytes, size_t length);
void synthetic_head(struct synthetic *s, struct lineage_header *h, int kind, size_t length, int cpu,
		    struct lineage_key process, int64_t ms);

void synthetic_fork(struct synthetic *s, int cpu, struct lineage_key child,
		    struct lineage_key parent, const char *comm);
void synthetic_fork_by(struct synthetic *s, int cpu, struct lineage_key child,
		       struct lineage_key parent, struct lineage_key creator, const char *comm);
void synthetic_exit(struct synthetic *s, int cpu, struct lineage_key process,
		    struct lineage_key parent, int64_t ms, uint32_t status);

struct synthetic_exec {
	struct lineage_key process, parent;
	const char *exe; /* as in the record: "ls\0bin\0usr", each component ended by NUL */
	size_t exe_length;
	const char *args; /* each ended by NUL */
	size_t args_length;
	const char *comm;
	uint32_t exec_id, uid;
	int64_t ms;
};

/* For .exe and .args: a literal without the NUL that C adds. */
#define BYTES(text) (text), sizeof(text) - 1

void synthetic_exec(struct synthetic *s, int cpu, const struct synthetic_exec *e);

/* filename with its NUL if it has one; args each ended by NUL. */
struct synthetic_failure {
	struct lineage_key process;
	const char *filename, *args;
	size_t filename_length, args_length;
	int directory;
	uint32_t error, flags;
	int64_t ms;
};

void synthetic_failure(struct synthetic *s, int cpu, const struct synthetic_failure *f);

/* The first column of the first row as text, "" for NULL; "none" without a row. Static storage. */
const char *synthetic_sql(struct synthetic *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* All rows, columns parted by '|' and rows by '\n'. Static storage. */
const char *synthetic_rows(struct synthetic *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What must hold after anything: identities once, (cpu, seq) once, and none missing without a gap.
 */
void synthetic_prove(struct synthetic *s);

#endif
