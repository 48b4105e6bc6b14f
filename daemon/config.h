/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lineaged.conf as one struct: defaults, then /etc/lineaged/lineaged.conf, then drop-ins, then the
 * command line. Const once it is loaded; a reload makes another one.
 *
 * Every key is a row of config_keys[]: its place in the struct, limits, default and description.
 * The manual page's list, the default file and the hash are made from that table.
 */
#ifndef LINEAGED_CONFIG_H
#define LINEAGED_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_where { CONFIG_WHERE_ALL, CONFIG_WHERE_HOST, CONFIG_WHERE_CONTAINERS };

enum config_exec_failures {
	CONFIG_EXEC_FAILURES_NO,
	CONFIG_EXEC_FAILURES_YES,
	CONFIG_EXEC_FAILURES_FEXIT,
	CONFIG_EXEC_FAILURES_TRACEPOINT,
};

struct config_list {
	char **items;
	size_t count;
};

/* Sizes in bytes, times in nanoseconds; uint64_t throughout, so that one parser fits all. */
struct config {
	/* [Capture] */
	struct config_list include_cgroup; /* as written: absolute or from the cgroup2 root */
	struct config_list exclude_cgroup;
	uint64_t where; /* enum config_where */
	uint64_t ring_bytes;
	uint64_t overflow_bytes;
	uint64_t cache_entries;
	uint64_t cache_keep_ns;
	uint64_t args_max_bytes;
	uint64_t exec_failures; /* enum config_exec_failures */
	/* [Storage] */
	char *database;
	uint64_t batch_max;
	uint64_t commit_interval_ns;
	uint64_t sync_interval_ns;
	uint64_t wal_max_bytes; /* already lowered to a quarter of max_use_bytes */
	/* [Retention]; 0: no such limit */
	uint64_t max_use_bytes;
	uint64_t keep_free_bytes; /* see config_keep_free() */
	uint64_t max_retention_ns;
	/* [Report] */
	char *status_file;  /* "": none */
	char *metrics_file; /* "": none */
	char *pin_directory;
	bool keep_attached;
};

/* A value from the command line: as an assignment in a file that is read last. */
struct config_override {
	const char *option; /* for messages: "--db" */
	const char *section;
	const char *name;
	const char *value;
};

/* Told once per problem. place is "FILE:LINE", a file or an option. */
typedef void (*config_report_fn)(void *userdata, bool is_error, const char *place,
				 const char *problem);

struct config_source {
	const char *root; /* where /etc, /run and /usr/lib are; NULL: the real ones */
	const char *file; /* --config: only this file, no drop-ins; NULL: the usual ones */
	const struct config_override *overrides;
	size_t overrides_count;
	uint64_t memory_bytes; /* of the machine; 0: as the kernel says */
	config_report_fn report;
	void *userdata;
};

/*
 * 0; -EINVAL after all errors have been reported (exit status 78); or -ENOMEM. What is unknown is a
 * warning only, so that an older daemon runs with a newer file. *ret_config is the caller's.
 */
int config_load(const struct config_source *source, struct config **ret_config);
void config_free(struct config *config);

/* Bytes to keep free on a file system of this size: KeepFree=, but never more than a tenth of it.
 */
uint64_t config_keep_free(const struct config *config, uint64_t filesystem_bytes);

/* Hexadecimal SHA-256 and its NUL. */
/* XXH3 of 128 bits, in hexadecimal digits as xxh128sum prints them, and a NUL. */
#define CONFIG_HASH_SIZE 33

/* Over every effective value in its canonical form: two runs with one hash recorded alike. */
int config_hash(const struct config *config, char ret_hash[CONFIG_HASH_SIZE]);

/* The values in force, as a configuration file. */
void config_print(FILE *out, const struct config *config);
/* The commented file that /etc/lineaged/lineaged.conf starts as. */
void config_print_defaults(FILE *out);
/* The list of keys for lineaged.conf(5), in scdoc's language. */
void config_print_manual(FILE *out);

#endif
