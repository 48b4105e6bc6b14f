/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lineage.db opened for reading, and the questions that its indexes answer.
 *
 * Everything handed out belongs to the query and lives until query_free(), except what a scan
 * yields. A process has one struct per database: asking twice for an id gives the same pointer.
 * Returns 0, a negative errno or SCHEMA_E_*; iterators give 0 for a row and 1 at the end.
 * Only query*.c know SQL. Nothing here writes, formats or decides what is shown.
 */
#ifndef LINEAGED_CLI_QUERY_H
#define LINEAGED_CLI_QUERY_H

#include "cli/process.h"

struct query;

/*
 * How much of each process is read: LINE is what one line of a tree needs, NAMES the same without
 * arguments (and without an id of the image).
 */
enum query_detail { QUERY_DETAIL_NAMES, QUERY_DETAIL_LINE, QUERY_DETAIL_FULL };

int query_open(const char *path, enum query_detail detail, struct query **ret_query);
void query_free(struct query *query);
const char *query_path(const struct query *query);
/* What SQLite said last, for SCHEMA_E_SQLITE. */
const char *query_errmsg(const struct query *query);
/* For verbs that speak SQL themselves; the handle stays the query's. */
sqlite3 *query_handle(struct query *query);

/* Boots in the order of recording. */
size_t query_boots(const struct query *query, const struct boot **ret_boots);
const struct boot *query_boot(const struct query *query, int number);
int64_t boot_to_unix(const struct boot *boot, int64_t boot_ns);

/* A range of boot time, from included, to not. */
struct boot_range {
	const struct boot *boot;
	int64_t from_ns, to_ns;
};

/*
 * [since, until) of wall clock as ranges of boot time, in order; a clock step may give several per
 * boot. UNKNOWN means unbounded. *ret_ranges is the caller's (free).
 */
int query_ranges(const struct query *query, int64_t since_unix_ns, int64_t until_unix_ns,
		 struct boot_range **ret_ranges, size_t *ret_count);

/* In a function that compares: of what differs first, the lesser comes first. */
#define COMPARE(a, b)                              \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

struct process_list {
	struct process **item;
	size_t count, size;
};

int process_list_add(struct process_list *list, struct process *p);
void process_list_remove(struct process_list *list, size_t index);
void process_list_deinit(struct process_list *list);
/* Keeps the first of those that are in it more than once. */
void process_list_unique(struct process_list *list);
/* By database, boot, start, pid, id. */
void process_list_sort(struct process_list *list);
/* By start in wall clock over all databases, each once. */
void process_list_by_time(struct process_list *list);

/* Where the disk is waited for: has it read the parents of these, from `first` on, all at once. */
void query_ahead_parents(struct query *query, const struct process_list *list, size_t first);

/* 1: there is no such row. */
int query_process(struct query *query, int64_t process_id, struct process **ret_process);
/* 1: it has pid 1 in its PID namespace, 0: it has not. Whatever the detail. */
int query_is_ns_init(struct query *query, const struct process *p);
/* Appends those with pid 1 in their PID namespace that were alive at a time of the range. */
int query_ns_inits(struct query *query, const struct boot_range *range, struct process_list *list);
/* All that ever had this pid, oldest first. */
int query_by_pid(struct query *query, int64_t pid, struct process_list *list);
/* Those that had no end when last seen, of one boot. */
int query_alive(struct query *query, const struct boot *boot, struct process_list *list);
/* Appends the descendants of p by birth, down to `depth` levels (0: all). */
int query_descendants(struct query *query, struct process *p, unsigned int depth,
		      struct process_list *list);
/* The same by the parent that each is known to have had last. */
int query_last_descendants(struct query *query, struct process *p, unsigned int depth,
			   struct process_list *list);
/* Appends parent, grandparent and so on, at most `limit` (0: all). Ends at a loop in damaged data.
 */
int query_ancestors(struct query *query, struct process *p, unsigned int limit,
		    struct process_list *list);
/* Processes with a start, exec or end in the range. */
int query_window(struct query *query, const struct boot_range *range, struct process_list *list);
/* The two halves of it, for a window that is read in parts: those that started in the range, */
int query_started(struct query *query, const struct boot_range *range, struct process_list *list);
/* and those that started before a time, at or before the range, and had an exec or end in it. */
int query_before(struct query *query, const struct boot_range *range, int64_t start_boot_ns,
		 struct process_list *list);
/* The starts at which a range of time may be parted, so that some 4096 processes lie between. */
int query_zone_ends(struct query *query, const struct boot_range *range,
		    int (*fn)(int64_t boot_ns, void *userdata), void *userdata);
/* Processes that started before the range and had not ended after it, at most `limit` (0: all). */
int query_running(struct query *query, const struct boot_range *range, struct process_list *list);
int query_count_running(struct query *query, const struct boot_range *range, int64_t *ret_count);

/* Fills execs of every process of the list. */
int query_load_execs(struct query *query, struct process_list *list);
/* Fills pruned_children and pruned of every process of the list. */
int query_load_pruned(struct query *query, struct process_list *list);

/*
 * Every process, in the order of recording. Memory does not grow with the database: the next call
 * may invalidate everything that the query has handed out but boots. Who wants more keeps ids.
 */
struct query_scan;
/* Is called now and then while all is scanned. */
void query_on_progress(struct query *query, void (*fn)(void *userdata, int64_t done, int64_t total),
		       void *userdata);
/* Calls that. */
void query_progress(struct query *query, int64_t done, int64_t total);
/*
 * What is known of a row before its dictionaries are looked up: to leave out early what cannot
 * match, which is nearly all in a long search. UNKNOWN where the column is NULL.
 */
struct row_keys {
	int boot; /* its number */
	int64_t id, pid;
	int64_t birth_context;
	int64_t context, comm, image; /* ids; the latest */
	int64_t life_ns, status;      /* life_ns UNKNOWN: not ended */
};

/* 1: it may match, 0: it cannot, or an error. fn NULL: all may. For scans and query_started(). */
void query_on_row(struct query *query, int (*fn)(const struct row_keys *keys, void *userdata),
		  void *userdata);
/* 0: it has no images before its latest, 1: it may; asked of many neighbours at little cost. */
int query_has_earlier(struct query *query, int64_t process_id);
/*
 * For query_on_row(): the images before the latest of the processes with these ids; of keys only
 * id, context (UNKNOWN: as at birth), comm and image are set.
 */
int query_each_earlier(struct query *query, int64_t first_id, int64_t last_id,
		       int (*fn)(const struct row_keys *keys, void *userdata), void *userdata);
/* And which of them had an exec that failed; only id is set. */
int query_each_failed(struct query *query, int64_t first_id, int64_t last_id,
		      int (*fn)(const struct row_keys *keys, void *userdata), void *userdata);
/* For query_on_row(): what lasts only until the next call. */
int query_peek_context(struct query *query, int64_t id, const struct context **ret_context);
/* The image without its arguments; ret_args as stored, or NULL where query_image() has to tell. */
int query_peek_image(struct query *query, int64_t id, const struct image **ret_program,
		     const char **ret_args, size_t *ret_length);
/* Between parts of an answer: forgets what has been handed out but boots, if it has grown large. */
void query_trim(struct query *query);
int query_scan_open(struct query *query, bool newest_first, struct query_scan **ret_scan);
int query_scan_next(struct query_scan *scan, struct process *ret_process);
void query_scan_free(struct query_scan *scan);

/*
 * Ends the transaction and begins another, to see what has been written since. 1: nothing has; else
 * everything handed out but boots is invalid.
 */
int query_refresh(struct query *query);
/* 1: a boot was added since it was opened; it has to be opened again. 0: none. */
int query_has_new_boot(struct query *query);
/* It was opened as a file that nobody writes to: what is written all the same is not seen. */
bool query_is_copy(const struct query *query);
/* The process_id recorded last. */
int query_newest(struct query *query, int64_t *ret_id);
/* The same of one boot. */
int query_newest_of(struct query *query, const struct boot *boot, int64_t *ret_id);
/* Those recorded after this process_id. */
int query_newer(struct query *query, int64_t process_id, struct process_list *list);

/* Reads the earlier images of one process; into the arena of the query. */
int query_execs_of(struct query *query, struct process *p);

struct exec_failure {
	const struct process *process;
	int64_t boot_ns, unix_ns;
	int64_t cpu, seq, error;
	enum provenance provenance;
	const struct image *image;
};

int query_failures_of(struct query *query, struct process *p, struct exec_failure **ret_failures,
		      size_t *ret_count);

/* 1: an exec of p failed in [since, until), UNKNOWN: unbounded. */
int query_failed_within(struct query *query, const struct process *p, int64_t since_unix_ns,
			int64_t until_unix_ns);
/* Appends the processes of which an exec failed in the range, each once. */
int query_failed(struct query *query, const struct boot_range *range, struct process_list *list);
/* Each failure of the range, in order. What the callback is given lasts until it returns. */
int query_each_failure(struct query *query, const struct boot_range *range,
		       int (*fn)(const struct exec_failure *failure, void *userdata),
		       void *userdata);

/* Loss and runs, for completeness. */
struct gap {
	int64_t id;
	const struct boot *boot;
	const char *cause, *detail;
	int64_t cpu, from_boot_ns, to_boot_ns, from_unix_ns, to_unix_ns;
	int64_t lost;	   /* events that are missing; UNKNOWN: cannot be known */
	int64_t recovered; /* events that were rebuilt, not counted in lost */
};

struct recorder_run {
	const struct boot *boot;
	const char *version, *config_hash, *kernel, *filter, *ended;
	int64_t started_boot_ns, last_boot_ns, stopped_boot_ns;
};

/*
 * What retention removed of those that lived in one of these ranges, which are in order and of one
 * boot, and of events in them of processes that stay; the times are theirs, all together. begun:
 * not of who only went on there as an image from before. *ret_process: of the first of these; NULL:
 * not known.
 */
int query_pruned(struct query *query, const struct boot_range *ranges, size_t count,
		 struct pruned *ret_pruned);
int query_pruned_events(struct query *query, const struct boot_range *ranges, size_t count,
			enum pruned_kind kind, bool begun, struct pruned *ret_pruned,
			struct process **ret_process);

/*
 * Boots of which retention left nothing, from the first of their recording to the last: in order,
 * those that overlap as one. *ret_boots is the query's.
 */
struct forgotten {
	int64_t processes;
	int64_t from_unix_ns, to_unix_ns;
};

int query_forgotten(struct query *query, struct forgotten **ret_boots, size_t *ret_count);
/* Gaps that touch the range, oldest first. *ret_gaps is the query's. */
int query_gaps(struct query *query, const struct boot_range *range, struct gap **ret_gaps,
	       size_t *ret_count);
/* Those recorded after this gap_id, in that order. A gap may grow for as long as it is the last. */
int query_newer_gaps(struct query *query, int64_t gap_id, struct gap **ret_gaps, size_t *ret_count);
int query_newest_gap(struct query *query, int64_t *ret_id);
/* The first gap_id of this boot and later ones; 0: there is none. */
int query_gaps_since(struct query *query, const struct boot *boot, int64_t *ret_id);
/* Sequence numbers below next_seq are in rows, in gaps, or removed. *ret is the caller's (free). */
struct cpu_position {
	int64_t cpu, next_seq;
};

int query_positions(struct query *query, const struct boot *boot,
		    struct cpu_position **ret_positions, size_t *ret_count);
int query_runs(struct query *query, struct recorder_run **ret_runs, size_t *ret_count);

#endif
