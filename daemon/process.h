/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process as the daemon holds it between its birth and the commit of its end. One row of
 * process_row.
 *
 * Ids of rows are positive; ROW_NONE is SQL NULL; ROW_SAME is "as at birth" where the schema allows
 * 0.
 */
#ifndef LINEAGED_PROCESS_H
#define LINEAGED_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/lineage_abi.h"
#include "schema/schema.h"

/* uthash asks for a hash: the key is two numbers that are already well spread. */
#include "daemon/table.h"

#define ROW_NONE INT64_MIN
#define ROW_SAME 0

/* What a process runs, and since when. Becomes a row of exec_row when another exec follows. */
struct image_state {
	enum provenance provenance; /* PROVENANCE_NONE: inherited at birth */
	int64_t after_ns;	    /* since the start of the process; ROW_NONE: unknown */
	int64_t cpu, seq;	    /* ROW_NONE: no event */
	int64_t context, parent_id; /* ROW_SAME allowed */
	int64_t image, cwd;
	int64_t comm; /* text; ROW_NONE: as the image says */
	int64_t pgid; /* 0: same as pid; ROW_NONE: that of its session */
	uint32_t exec_id;
	char image_comm[LINEAGE_COMM_LEN];
};

/* image_state.pgid */
static inline int64_t process_group(const struct lineage_ids *ids, uint32_t pid)
{
	if (ids->pgid == pid)
		return 0;
	return ids->pgid == ids->sid ? ROW_NONE : (int64_t)ids->pgid;
}

/* image_state.context, .parent_id and process.end_parent_id */
static inline void same_or(int64_t *value, int64_t birth)
{
	if (*value == birth)
		*value = ROW_SAME;
}

/* process.ns_pid */
static inline int64_t own_or(uint32_t value, uint32_t pid)
{
	return value == pid ? 0 : (int64_t)value;
}

struct process {
	UT_hash_handle hh;
	struct lineage_key key;
	int64_t process_id;
	struct process *next;	    /* in the list of changed ones */
	struct process *next_ended; /* and in that of ended ones: it may be in both */

	enum provenance birth;
	int64_t parent_id, creator_id;
	int64_t fork_cpu, fork_seq;
	int64_t context;
	int64_t ns_pid; /* 0: same as pid */

	struct image_state image;

	enum provenance end; /* PROVENANCE_NONE: lives */
	int64_t end_after_ns;
	int64_t end_cpu, end_seq;
	int64_t end_parent_id;
	int64_t status;
	int64_t user_us, system_us, max_rss_kib;

	uint64_t ended_boot_ns; /* when it was put on the list of ended ones */
	bool freed;		/* process_cache has let go of it already */
	bool stored;		/* has its row */
	bool changed;		/* on the list of changed ones */
	bool birth_changed;	/* what its row says of its birth is no longer right */
};

#endif
