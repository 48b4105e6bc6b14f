/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF side as the daemon holds it: programs, links and maps, loaded or taken over.
 *
 * The programs go on recording into ring and cache while no daemon runs. So what a start finds
 * decides: links and maps of the same layout, from the service manager or pinned, are taken over;
 * otherwise the programs are loaded anew. The only user of libbpf's loader in the daemon.
 */
#ifndef LINEAGED_PROBE_H
#define LINEAGED_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/lineage_abi.h"

enum probe_map {
	PROBE_MAP_CACHE,
	PROBE_MAP_EVENTS,
	PROBE_MAP_COUNTERS,
	PROBE_MAP_CONTROL,
	PROBE_MAP_CGROUPS,
	PROBE_MAP_FILTER,
	PROBE_MAP_CLAIMS,
	PROBE_MAPS
};

/*
 * In the order in which they are attached. Which of the middle ones there are depends on the
 * kernel. Fork comes after exec and exit: of whom the programs saw the birth they have seen all,
 * and need not ask /proc.
 */
enum probe_link {
	PROBE_LINK_EXEC,
	PROBE_LINK_EXIT,
	PROBE_LINK_FORK,
	PROBE_LINK_SPARE_EXEC, /* each behind its main one: see bpf/README.md */
	PROBE_LINK_SPARE_EXIT,
	PROBE_LINK_SPARE_FORK,
	/* What is attached last to a function runs first. */
	PROBE_LINK_SPARE_FAILED_EXECVE,
	PROBE_LINK_SPARE_FAILED_EXECVEAT,
	PROBE_LINK_SPARE_FAILED_EXECVE32,
	PROBE_LINK_SPARE_FAILED_EXECVEAT32,
	PROBE_LINK_FAILED_ANY, /* the tracepoint; or fexit of each system call */
	PROBE_LINK_FAILED_EXECVE,
	PROBE_LINK_FAILED_EXECVEAT,
	PROBE_LINK_FAILED_EXECVE32,
	PROBE_LINK_FAILED_EXECVEAT32,
	PROBE_LINK_TOUCH_EXECVE,
	PROBE_LINK_TOUCH_EXECVEAT,
	PROBE_LINK_SNAPSHOT,
	PROBE_LINKS
};

/* The programs behind the first links: those that see events. */
#define PROBE_PROGRAMS PROBE_LINK_SNAPSHOT
#define PROBE_OBJECTS  (PROBE_MAPS + PROBE_LINKS + PROBE_PROGRAMS)

/* How failed execs are found. YES is for options only: fexit where it can be, else tracepoint. */
enum probe_failures {
	PROBE_FAILURES_NO,
	PROBE_FAILURES_YES,
	PROBE_FAILURES_FEXIT,
	PROBE_FAILURES_TRACEPOINT,
};

struct probe;

struct probe_options {
	const char *pin_directory;
	uint64_t ring_bytes; /* power of two, whole pages */
	uint64_t cache_entries;
	uint32_t args_max;
	enum probe_failures failures;
	uint32_t filter;	   /* LINEAGE_FILTER_* */
	int v1_hierarchy;	   /* id of the v1 hierarchy to name beside cgroup2; 0: none */
	const char *v1_controller; /* its controller, as in /proc/cgroups; NULL: none */
	const char *btf_path;	   /* NULL: the kernel's own */
	/* Called between load and attach of new programs: fills filters and first sequence numbers.
	 */
	int (*prepare)(struct probe *probe, void *userdata);
	void *userdata;
};

struct probe {
	int maps[PROBE_MAPS];
	int links[PROBE_LINKS];
	int programs[PROBE_PROGRAMS];
	struct lineage_control *control; /* mapped, shared with the programs */
	const char *pin_directory;
	int lock;	   /* the pin directory, held against a second daemon */
	bool adopted;	   /* links and maps were there already */
	int cpus;	   /* possible CPUs: the length of what the per-CPU map gives */
	size_t ring_bytes; /* as the ring really is */
};

/* What went wrong in words, with what to do about it. */
struct probe_problem {
	char text[512];
};

void probe_init(struct probe *probe);

/*
 * fds: what the service manager kept, by name (see struct probe_object); may be empty. Programs
 * are attached when this returns 0, and every map and (unless the service manager keeps them) every
 * link is pinned below options->pin_directory.
 */
struct probe_fd {
	const char *name;
	int fd;
};

/*
 * *old: programs and maps of another layout that have been recording meanwhile, to be detached and
 * drained now that ours are attached; its maps are -1 if there were none. They stay pinned under
 * other names until probe_drained(): a start that is cut off before leaves them to the next one.
 */
int probe_open(struct probe *probe, struct probe *old, const struct probe_options *options,
	       const struct probe_fd *fds, size_t fds_count, bool pin_links,
	       struct probe_problem *problem);

/* Everything in the ring of *old is in the database. */
void probe_drained(struct probe *probe, struct probe *old);

/* Lets the programs go; ring and maps stay readable. */
void probe_detach(struct probe *probe);

/*
 * Loads and attaches to nothing that stays: what --check tries. *ret_failures: how failed execs
 * would be found.
 */
int probe_try(const struct probe_options *options, enum probe_failures *ret_failures,
	      struct probe_problem *problem);

/* How failed execs are being found. */
enum probe_failures probe_failures_of(const struct probe *probe);

/* Releases what this process holds. detach: removes the pins too, so that recording ends. */
void probe_close(struct probe *probe, bool detach);

/* Everything that outlives a daemon: as "KIND-NAME" in the service manager's store, and pinned. */
struct probe_object {
	const char *kind; /* map, link, prog */
	const char *name;
	int *fd;
	bool may_lack; /* -1 where this kernel has no use for it */
};

void probe_objects(struct probe *probe, struct probe_object objects[PROBE_OBJECTS]);

/* One struct lineage_counters per possible CPU into counters[probe->cpus]. */
int probe_counters(const struct probe *probe, struct lineage_counters *counters);

/* Main programs and the spare ones behind them. */
enum probe_pair {
	PROBE_PAIR_LIVES,    /* fork, exec and exit */
	PROBE_PAIR_FAILURES, /* fexit of execve and execveat */
	PROBE_PAIRS
};

/*
 * Runs that the kernel left out because the program was running on that CPU already. Those before
 * 5.12 do not tell, but do not preempt programs either. Totals of one generation of programs: an
 * event's run of a main program is among them whenever that of its spare one is.
 */
struct probe_misses {
	struct {
		/* Of main programs, less those that their spare ones made good: events that both
		 * left out, and those of threads and of processes that are not recorded, which
		 * nobody misses. */
		uint64_t unsent;
		uint64_t spare; /* of spare programs */
		bool has_spare;
	} of[PROBE_PAIRS];
};

int probe_misses(const struct probe *probe, struct probe_misses *ret_misses);

/* The kernel's number of the main program: another one is another generation of programs. */
int probe_program_id(const struct probe *probe, uint32_t *ret_id);

/* An fd that yields struct lineage_snapshot for every process, once. */
int probe_snapshot_fd(const struct probe *probe, int *ret_fd);

#endif
