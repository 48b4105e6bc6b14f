/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verb of lineage-query, and what it is given to run with.
 *
 * To add a verb: write cmd_NAME.c with one `const struct command`, and name it in commands.h. Help,
 * completions and option parsing follow from the struct.
 */
#ifndef LINEAGED_CLI_CMD_H
#define LINEAGED_CLI_CMD_H

#include "cli/flags.h"
#include "cli/query.h"
#include "cli/render.h"

/* Exit statuses, as promised. */
enum exit_status {
	EXIT_FOUND = 0,
	EXIT_NOTHING = 1,
	EXIT_USAGE = 2,
	EXIT_DATABASE = 3,
	EXIT_INCOMPLETE = 4,
};

struct session {
	const struct command *command;
	struct flags flags;
	struct query *db[FLAGS_LIST_MAX];
	unsigned int db_count;
	struct style style;
	FILE *out;
	int64_t now_unix_ns;
	bool progress_shown, progress_over; /* on stderr, until something is printed */
};

struct command {
	const char *name;
	const char *operands; /* as in "PID", or NULL: takes none */
	const char *summary;  /* one line for the list of verbs */
	const char *help;     /* what a man page would say, lines of at most 79 columns */
	unsigned int options; /* FLAGS_* */
	bool no_database;     /* does not open one */
	bool no_pager;
	const char *formats; /* names for -o, by blanks; NULL: those of render.c */
	bool names_only;     /* wants no arguments, where nothing selects by them */
	bool full_detail;    /* wants QUERY_DETAIL_FULL whatever the format */
	bool apart;	     /* answers for each database on its own, never for all together */
	/* An exit_status, or a negative error that main reports. */
	int (*run)(struct session *session);
};

/* One sentence on stderr; returns EXIT_USAGE. */
int usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One sentence on stderr; returns status. */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what is wrong with a database; returns EXIT_DATABASE. */
int fail_database(const char *path, int error, const char *detail);

/*
 * A boot in two databases: the same processes may be in both, under other numbers, and would count
 * twice. 0, or an exit status with a sentence said.
 */
int session_check_databases(const struct session *session);
/* What is answered from is of more than one host. */
bool session_has_hosts(const struct session *session);
/* A person has waited for a second. */
bool session_is_slow(const struct session *session);
/* Lets queries say how far they are, where a person sees stderr. */
void session_show_progress(struct session *session);
/* Before anything is printed, and at the end. */
void session_end_progress(struct session *session);
/* EXIT_FOUND, or EXIT_INCOMPLETE where --strict asks for it. */
int session_status(const struct session *session, const struct completeness *completeness);
/* The same where nothing may have been found: what is not there may be among what is missing. */
int session_outcome(const struct session *session, const struct completeness *completeness,
		    bool found);
/*
 * What an answer about all of a time cannot know, in the boots that --boot names. UNKNOWN: as far
 * as there are records.
 */
int session_add_time(const struct session *session, struct completeness *completeness,
		     struct query *query, int64_t since_unix_ns, int64_t until_unix_ns,
		     const struct process_list *shown);
/* The same of every database up to a time: whoever is not there may have been lost anywhere. 0, or
 * an exit status. */
int session_add_record(const struct session *session, struct completeness *completeness,
		       int64_t until_unix_ns);
/*
 * Says on stderr that there is no such process, and what may be missing. EXIT_NOTHING, or
 * EXIT_INCOMPLETE where --strict asks for it.
 */
int session_nothing(const struct session *session, const struct completeness *completeness,
		    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The writer that -o names. 0, or an exit status with a sentence said. */
int session_writer(struct session *session, struct writer *ret_writer);
/* Applies --boot: whether a process of this boot may be shown. */
bool session_wants_boot(const struct session *session, const struct boot *boot);
/*
 * The one process that --pid or the operand names; of several the newest. As session_find(); where
 * none is, session_nothing() has said so and *ret_process is NULL.
 */
int session_one(struct session *session, struct completeness *completeness,
		struct process_list *found, struct process **ret_process);
/* Whether "4242" or "4242@START" names this process; malformed text names none. */
bool session_names(const struct session *session, const char *text, const struct process *p);
/* 0, or an exit status with a sentence said: whether such a text may name a process. */
int session_check_name(const struct session *session, const char *text);
/* "4242", "4242@START": the processes so named, oldest first. 0, or an exit status with a sentence.
 */
int session_find(struct session *session, const char *text, struct process_list *list);

#endif
