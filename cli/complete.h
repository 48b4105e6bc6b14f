/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer cannot know: gaps, times without a recorder, values cut short, rows that retention
 * removed. `complete` is a claim; it is made only when nothing of these touches the answer.
 */
#ifndef LINEAGED_CLI_COMPLETE_H
#define LINEAGED_CLI_COMPLETE_H

#include "cli/arena.h"
#include "cli/query.h"

enum missing_kind {
	MISSING_GAP,	      /* events that could not be delivered */
	MISSING_NOT_RECORDED, /* no lineaged was recording, or could have been yet */
	MISSING_TRUNCATED,    /* a value of a process shown is not whole */
	MISSING_PRUNED, /* retention removed processes of the time, or children of one shown */
	MISSING_PRUNED_EXECS,	 /* it removed earlier images of processes that stay */
	MISSING_PRUNED_FAILURES, /* and failed execs of these */
	MISSING_UNKNOWN,	 /* who a process shown was, or who had it, was not learned */
	MISSING_LIMIT,		 /* the question itself asked for less (--limit) */
	MISSING_UNREAD,		 /* the database could not be read to the end */
};

struct missing {
	enum missing_kind kind;
	const char *cause;		  /* of a gap, as stored */
	int64_t from_unix_ns, to_unix_ns; /* UNKNOWN: unbounded, or no time */
	int64_t lost, recovered; /* events missing (UNKNOWN: cannot be known), and rebuilt */
	int64_t count;		 /* processes, values */
	const struct query *db;	 /* where it is missing; NULL: of what is counted */
	int64_t gap_id;		 /* of a gap */
	struct boot_range range; /* of a gap; boot NULL: not known */
	bool to_come;		 /* not recorded: it is later than now */
	bool boots;		 /* PRUNED: whole boots, and all that is known of their time */
	bool orphans;		 /* UNKNOWN: who had them at a moment, nothing else */
	char name[80];	   /* of the first process, as "bash(990)", escaped; "" where none is */
	char touches[160]; /* which part of the answer, in words */
};

struct completeness {
	struct missing *item;
	size_t count, size;
	const char *filter; /* only this was recorded, in words; NULL: the whole node */
	struct arena arena; /* of the texts above */
	/* Being counted, until completeness_end_processes(). */
	struct missing truncated, children, events[PRUNED_KINDS], unknown, orphans;
	bool of_time; /* completeness_add_time() has told of what was pruned */
};

static inline bool is_complete(const struct completeness *c)
{
	return c->count == 0;
}

void completeness_deinit(struct completeness *completeness);
/* As lineage-query(1) lists them. */
const char *missing_kind_name(enum missing_kind kind);

/*
 * Loss in a range of time: gaps, and times when nothing recorded. UNKNOWN: as far as there are
 * records. `shown` tells which processes of the answer lived then. For answers about processes that
 * are known: what retention removed is counted under them.
 */
int completeness_add_range(struct completeness *completeness, struct query *query,
			   int64_t since_unix_ns, int64_t until_unix_ns, int64_t now_unix_ns,
			   const struct process_list *shown);

/* Gaps in a range of boot time, whatever the wall clock showed then. */
int completeness_add_boot(struct completeness *completeness, const struct boot_range *range,
			  const struct process_list *shown);

/* Loss in the life of one process, by either clock. */
int completeness_add_life(struct completeness *completeness, struct process *process,
			  int64_t now_unix_ns);

/* What an answer about a time looked through. */
struct scope {
	int64_t since_unix_ns, until_unix_ns, now_unix_ns;
	/* Only these boots; NULL: any. */
	bool (*wants)(const struct boot *boot, const void *userdata);
	const void *userdata;
	/* Of images that were removed, only what began in it: who was told of those before. */
	bool begun;
};

/* The same for answers about all that was in a time: with what retention removed of it, but not
 * what it removed at other times below processes shown. */
int completeness_add_time(struct completeness *completeness, struct query *query,
			  const struct scope *scope, const struct process_list *shown);
/*
 * Loss in the lives of the ancestors of p, each up to the birth of the one below it: a lost exec or
 * birth then makes the line another. Of whom a snapshot found, from the first recording of its
 * boot. `line`: ancestors, the nearest first; ends at one whose parent is not in the database: that
 * counts too, with completeness_end_processes().
 */
int completeness_add_line(struct completeness *completeness, const struct process *p,
			  const struct process_list *line);
/* More of what is shown, where not all was known before. */
void completeness_add_shown(struct completeness *completeness, const struct process_list *shown);
/*
 * Truncated values of what is shown, and what retention removed of it and below it, unless that has
 * been told by time: one by one and then the sum, or of a list at once. Needs query_load_pruned().
 */
int completeness_count_process(struct completeness *completeness, const struct process *p);
/* In a tree as it stood at a moment: it is not recorded under whom it stood. */
void completeness_count_orphan(struct completeness *completeness, const struct process *p);
int completeness_end_processes(struct completeness *completeness);
int completeness_add_processes(struct completeness *completeness, const struct process_list *list);
/* The answer was cut off after `count` results. */
int completeness_add_limit(struct completeness *completeness, int64_t count);
/* An error ended it half-way. */
int completeness_add_unread(struct completeness *completeness);

#endif
