/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding a key: a member of struct config, a row here. The manual page, the default file,
 * --dump-config and the hash follow from it.
 */
#include "daemon/config_keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "bpf/lineage_abi.h"
#include "daemon/config.h"
#include "daemon/config_value.h"
#include "schema/cleanup.h"
#include "schema/schema.h"

#define KIB(n)	(UINT64_C(n) << 10)
#define MIB(n)	(UINT64_C(n) << 20)
#define GIB(n)	(UINT64_C(n) << 30)
#define TIB(n)	(UINT64_C(n) << 40)
#define MSEC(n) (UINT64_C(n) * 1000000)
#define SEC(n)	(UINT64_C(n) * 1000000000)
#define DAY(n)	SEC(UINT64_C(n) * 86400)

#define KEY(s, n, t, member) \
	.section = s, .name = n, .type = t, .offset = offsetof(struct config, member)

static const char *const where_choices[] = {
	[CONFIG_WHERE_ALL] = "all",
	[CONFIG_WHERE_HOST] = "host",
	[CONFIG_WHERE_CONTAINERS] = "containers",
	NULL,
};

static const char *const exec_failures_choices[] = {
	[CONFIG_EXEC_FAILURES_NO] = "no",
	[CONFIG_EXEC_FAILURES_YES] = "yes",
	[CONFIG_EXEC_FAILURES_FEXIT] = "fexit",
	[CONFIG_EXEC_FAILURES_TRACEPOINT] = "tracepoint",
	NULL,
};

const struct config_key config_keys[] = {
	{
		KEY("Capture", "IncludeCgroup", CONFIG_LIST, include_cgroup),
		.initial = "",
		.help = "Record only this cgroup and those below it. May be given several times.",
		.reason = "Empty: the whole node.",
	},
	{
		KEY("Capture", "ExcludeCgroup", CONFIG_LIST, exclude_cgroup),
		.initial = "",
		.help = "Leave out this cgroup and those below it. May be given several times; of "
			"nested paths the innermost decides.",
		.reason = "Empty: nothing is left out.",
	},
	{
		KEY("Capture", "Where", CONFIG_CHOICE, where),
		.choices = where_choices,
		.initial = "all",
		.help = "Record the whole node, only the host (the initial PID namespace) or only "
			"containers (every other one).",
		.reason = "An attack crosses that border.",
	},
	{
		KEY("Capture", "RingSize", CONFIG_SIZE, ring_bytes),
		.min = KIB(64),
		.max = GIB(1),
		.flags = CONFIG_POWER_OF_TWO,
		.initial = "32M",
		.help = "Ring buffer between kernel and daemon. It holds what happens while the "
			"daemon is stopped, restarted or waits for the disk.",
		.reason = "30 seconds of 1000 new processes per second, or about one second of the "
			  "most "
			  "that two CPUs can start.",
	},
	{
		KEY("Capture", "OverflowMax", CONFIG_SIZE, overflow_bytes),
		.min = MIB(16),
		.max = GIB(1),
		.flags = CONFIG_ZERO_IS_OFF,
		.initial = "512M",
		.help = "Memory that the ring is moved to while a commit waits for the disk, in "
			"pieces of 16M that are made when they are needed and given back ten "
			"seconds later: at least one, and never more than make a sixteenth of "
			"the machine's memory. "
			"0: no such memory, so that the ring alone must last.",
		.reason =
			"With the ring, 18 seconds of the most that two CPUs can start: disks have "
			"been seen to keep a writer waiting for 17 while all processors were busy.",
	},
	{
		KEY("Capture", "CacheEntries", CONFIG_COUNT, cache_entries),
		.min = 1024,
		.max = 4194304,
		.initial = "65536",
		.help = "Processes that process_cache holds: the running ones and, for "
			"CacheKeepSec=, ended ones of which an event found no room in the ring.",
		.reason = "Twice the PIDs that a kernel gives out by default on a small node. The "
			  "largest value is the kernel's limit of PIDs.",
	},
	{
		KEY("Capture", "CacheKeepSec", CONFIG_TIME, cache_keep_ns),
		.min = 0,
		.max = SEC(3600),
		.initial = "10s",
		.help = "How long a process of which an event found no room in the ring, or whose "
			"birth was not recorded, stays in process_cache after its end has been "
			"committed. Others leave it at their end; on kernels that preempt "
			"tracepoints, all of them stay.",
		.reason = "Until lost events have been rebuilt, which takes a second or two; long "
			  "enough to look at with bpftool.",
	},
	{
		KEY("Capture", "ArgsMax", CONFIG_SIZE, args_max_bytes),
		.min = 256,
		.max = LINEAGE_ARGS_MAX,
		.initial = "32K",
		.help = "Bytes of an argument list that are kept; the true length is always "
			"recorded.",
		.reason = "The largest that one record can carry. Few lists are longer than 4K, "
			  "and a "
			  "long one is the one that matters.",
	},
	{
		KEY("Capture", "ExecFailures", CONFIG_CHOICE, exec_failures),
		.choices = exec_failures_choices,
		.initial = "yes",
		.help = "Record execve and execveat calls that failed, with the error. yes: by "
			"fexit of the two system calls, which costs nobody else anything; where "
			"the kernel does not allow that, by the tracepoint sys_exit, which makes "
			"every system call of the node some 20 ns slower. fexit, tracepoint: only "
			"so; lineaged --check tells which it is.",
		.reason = "A failed attempt is evidence, and nearly all kernels have fexit.",
	},
	{
		KEY("Storage", "Database", CONFIG_PATH, database),
		.initial = SCHEMA_DEFAULT_PATH,
		.help = "The database. Its -wal and -shm files lie beside it.",
	},
	{
		KEY("Storage", "BatchMax", CONFIG_COUNT, batch_max),
		.min = 1,
		.max = 1000000,
		.initial = "10000",
		.help = "Most events in one transaction.",
		.reason = "Below 1000 each transaction costs more than its events; above 10000 "
			  "nothing is gained and each stall is longer.",
	},
	{
		KEY("Storage", "CommitIntervalSec", CONFIG_TIME, commit_interval_ns),
		.min = MSEC(1),
		.max = SEC(60),
		.initial = "200ms",
		.help = "Longest time that an event waits before it is committed and can be "
			"queried.",
		.reason =
			"A reader sees it within a blink; five transactions a second cost nothing.",
	},
	{
		KEY("Storage", "SyncIntervalSec", CONFIG_TIME, sync_interval_ns),
		.min = MSEC(100),
		.max = SEC(3600),
		.initial = "5s",
		.help = "Longest time until a commit is forced to the disk. A power cut costs at "
			"most "
			"this; a crash of the daemon costs nothing.",
		.reason = "A sync per commit would wear out small disks and stall under load.",
	},
	{
		KEY("Storage", "WalMax", CONFIG_SIZE, wal_max_bytes),
		.min = MIB(1),
		.max = GIB(64),
		.initial = "256M",
		.help = "What the write-ahead log may grow to. From half of it on the log is "
			"emptied, for which recording waits a moment. Never more than a quarter of "
			"MaxUse=. A reader that stays in a transaction, or a slow disk, can still "
			"make it larger.",
		.reason = "What a storm writes in 20 seconds. Its blocks are allocated beforehand, "
			  "as a "
			  "log "
			  "that grows waits for the file system; and a longer log means that pages "
			  "which change often are copied less often.",
	},
	{
		KEY("Retention", "MaxUse", CONFIG_SIZE, max_use_bytes),
		.min = MIB(4),
		.max = TIB(64),
		.flags = CONFIG_ZERO_IS_OFF,
		.initial = "2G",
		.help = "Most that the database and its write-ahead log take; the oldest processes "
			"go "
			"first. 0: no limit.",
		.reason = "About 40 million events: weeks of an ordinary node.",
	},
	{
		KEY("Retention", "KeepFree", CONFIG_SIZE, keep_free_bytes),
		.min = MIB(1),
		.max = TIB(64),
		.flags = CONFIG_ZERO_IS_OFF,
		.initial = "1G",
		.help = "Free space to leave on the file system of the database, at most a tenth "
			"of "
			"it. 0: no limit.",
		.reason = "The recorder must not be what fills a disk.",
	},
	{
		KEY("Retention", "MaxRetentionSec", CONFIG_TIME, max_retention_ns),
		.min = SEC(60),
		.max = DAY(36500),
		.flags = CONFIG_ZERO_IS_OFF,
		.initial = "0",
		.help = "Age from which on ended processes are removed. 0: no limit.",
		.reason = "How long records may or must be kept is for the site to say.",
	},
	{
		KEY("Report", "StatusFile", CONFIG_PATH, status_file),
		.flags = CONFIG_MAY_BE_EMPTY,
		.initial = "/run/lineaged/status.json",
		.help = "Where the daemon writes its figures for lineage-query status. Empty: "
			"nowhere. "
			"If Database= is another than the default, the default here is that path "
			"with -status.json appended.",
	},
	{
		KEY("Report", "MetricsFile", CONFIG_PATH, metrics_file),
		.flags = CONFIG_MAY_BE_EMPTY,
		.initial = "",
		.help = "The same figures for node_exporter's textfile collector, a file that ends "
			"in "
			".prom. Empty: none.",
		.reason = "Only some nodes have a collector.",
	},
	{
		KEY("Report", "PinDirectory", CONFIG_PATH, pin_directory),
		.initial = "/sys/fs/bpf/lineaged",
		.help = "Directory on a BPF file system for the pinned maps.",
	},
	{
		KEY("Report", "KeepAttached", CONFIG_BOOL, keep_attached),
		.initial = "no",
		.help = "Pin the programs too, so that they go on filling the ring when the daemon "
			"stops and no service manager holds them.",
		.reason = "Under systemd its descriptor store does that, and stopping the service "
			  "really stops the recording.",
	},
};

const size_t config_keys_count = ARRAY_SIZE(config_keys);
_Static_assert(ARRAY_SIZE(config_keys) <= 64, "config.c keeps a bit per key");

const char *config_key_print(const struct config_key *key, const struct config *config, size_t i,
			     char out[32])
{
	const void *place = config_key_place(key, config);

	switch (key->type) {
	case CONFIG_COUNT:
		snprintf(out, 32, "%" PRIu64, *(const uint64_t *)place);
		return out;
	case CONFIG_SIZE:
		config_print_size(out, *(const uint64_t *)place);
		return out;
	case CONFIG_TIME:
		config_print_time(out, *(const uint64_t *)place);
		return out;
	case CONFIG_BOOL:
		return *(const bool *)place ? "yes" : "no";
	case CONFIG_CHOICE:
		return key->choices[*(const uint64_t *)place];
	case CONFIG_PATH:
		return *(char *const *)place;
	case CONFIG_LIST:
		return ((const struct config_list *)place)->items[i];
	}
	return "";
}

void config_key_print_limits(const struct config_key *key, char *out, size_t size)
{
	struct config limits = {.where = 0};
	char min[CONFIG_VALUE_SIZE], max[CONFIG_VALUE_SIZE];

	*out = '\0';
	if (key->type != CONFIG_COUNT && key->type != CONFIG_SIZE && key->type != CONFIG_TIME)
		return;
	*(uint64_t *)config_key_place(key, &limits) = key->min;
	config_key_print(key, &limits, 0, min);
	*(uint64_t *)config_key_place(key, &limits) = key->max;
	config_key_print(key, &limits, 0, max);
	snprintf(out, size, "from %s to %s%s", min, max,
		 key->flags & CONFIG_POWER_OF_TWO ? ", a power of two" : "");
}
