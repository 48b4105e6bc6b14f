/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start has to do with the kernel before the loop can run: filters, numbers, descriptors,
 * and taking over from programs that are recording already.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/daemon_state.h"
#include "daemon/store_load.h"
#include "daemon/switchover.h"
#include "schema/cleanup.h"

struct filter {
	struct lineage_cgroup_key *keys;
	uint32_t *verdicts;
	size_t count;
};

/* The cgroups of the configuration; nothing is changed yet. */
static int find_cgroups(struct daemon *d, const struct config_list *list, uint32_t verdict,
			struct filter *f)
{
	for (size_t i = 0; i < list->count; i++) {
		uint64_t id = 0;
		int r = cgroup_id_of_path(&d->hierarchies, list->items[i], &id);

		if (r < 0) {
			log_errno(r, "cgroup %s cannot be recorded", list->items[i]);
			return -EINVAL;
		}
		f->keys[f->count].id = id;
		f->verdicts[f->count++] = verdict;
	}
	return 0;
}

static bool is_in_filter(const struct filter *f, const struct lineage_cgroup_key *key)
{
	for (size_t i = 0; i < f->count; i++)
		if (memcmp(&f->keys[i], key, sizeof(*key)) == 0)
			return true;
	return false;
}

static int drop_stale(const struct filter *f, int map)
{
	struct lineage_cgroup_key key, next;
	const struct lineage_cgroup_key *at = NULL;

	while (bpf_map_get_next_key(map, at, &next) == 0) {
		if (!is_in_filter(f, &next)) {
			if (bpf_map_delete_elem(map, &next) < 0)
				return -errno;
			/* From the beginning again. */
			at = NULL;
			continue;
		}
		key = next;
		at = &key;
	}
	return 0;
}

/*
 * Into the map that the programs ask, which may be recording: what stays is there all the time, and
 * what goes goes last, unless there is no room for both.
 */
static int fill_filter(const struct filter *f, int map)
{
	for (size_t i = 0; i < f->count; i++) {
		int r = bpf_map_update_elem(map, &f->keys[i], &f->verdicts[i], BPF_ANY);

		if (r < 0 && errno == E2BIG && drop_stale(f, map) == 0)
			r = bpf_map_update_elem(map, &f->keys[i], &f->verdicts[i], BPF_ANY);
		if (r < 0)
			return log_errno(-errno, "cgroup filter");
	}
	return drop_stale(f, map);
}

static uint32_t filter_bits(const struct config *config)
{
	uint32_t bits = config->include_cgroup.count ? LINEAGE_FILTER_CGROUPS : 0;

	if (config->where == CONFIG_WHERE_HOST)
		bits |= LINEAGE_FILTER_HOST_ONLY;
	if (config->where == CONFIG_WHERE_CONTAINERS)
		bits |= LINEAGE_FILTER_CONTAINER_ONLY;
	return bits;
}

/*
 * Filters as configured now; verdicts and "path told" marks of before are void. A configuration
 * that is refused leaves those that are in force.
 */
static int set_filters(struct daemon *d, struct probe *probe)
{
	const struct config_list *include = &d->config->include_cgroup;
	const struct config_list *exclude = &d->config->exclude_cgroup;
	size_t count = include->count + exclude->count + 1;
	CLEANUP_FREE struct lineage_cgroup_key *keys = calloc(count, sizeof(*keys));
	CLEANUP_FREE uint32_t *verdicts = calloc(count, sizeof(*verdicts));
	struct filter filter = {keys, verdicts, 0};
	int r = keys && verdicts ? 0 : -ENOMEM;

	if (r == 0)
		r = find_cgroups(d, include, LINEAGE_SUBTREE_INCLUDE, &filter);
	if (r == 0)
		r = find_cgroups(d, exclude, LINEAGE_SUBTREE_EXCLUDE, &filter);
	if (r == 0)
		r = fill_filter(&filter, probe->maps[PROBE_MAP_FILTER]);
	if (r == 0) {
		probe->control->filter = filter_bits(d->config);
		/* Makes every verdict void that may be from before, also one that is still to be
		 * written. To empty the map only gives room back. */
		__atomic_add_fetch(&probe->control->cgroups_emptied, 1, __ATOMIC_SEQ_CST);
		drop_stale(&(struct filter){0}, probe->maps[PROBE_MAP_CGROUPS]);
	}
	return r;
}

struct numbers {
	struct lineage_counters *counters;
	int cpus;
};

static int continue_cpu(const struct store_cpu *cpu, void *userdata)
{
	struct numbers *n = userdata;

	if (cpu->cpu < n->cpus)
		n->counters[cpu->cpu].first_seq = n->counters[cpu->cpu].next_seq = cpu->next_seq;
	return 0;
}

/* New maps count on from where the database ends, so that (boot, cpu, seq) stays unique. */
/* More events than the old programs can still take numbers for until they are detached. */
#define NUMBERS_APART 1000000000ULL

/* Programs of another layout go on counting for a moment: stay clear of them. */
static int skip_old_numbers(struct daemon *d, struct numbers *numbers)
{
	CLEANUP_FREE struct lineage_counters *old = calloc((size_t)numbers->cpus, sizeof(*old));
	int r = old ? probe_counters(&d->old, old) : -ENOMEM;

	for (int i = 0; r == 0 && i < numbers->cpus; i++) {
		struct lineage_counters *c = &numbers->counters[i];

		/* A start that was cut off may have gone further. */
		if (c->next_seq < old[i].next_seq + NUMBERS_APART)
			c->first_seq = c->next_seq = old[i].next_seq + NUMBERS_APART;
	}
	return r;
}

static int continue_numbers(struct daemon *d, struct probe *probe)
{
	CLEANUP_FREE struct lineage_counters *counters =
		calloc((size_t)probe->cpus, sizeof(*counters));
	struct numbers numbers = {counters, probe->cpus};
	struct store store;
	uint32_t zero = 0;
	int r = counters ? store_open(&store, d->config->database) : -ENOMEM;

	if (r < 0)
		return r;
	r = store_each_cpu(&store, continue_cpu, &numbers);
	store_close(&store);
	if (r == 0 && d->old.maps[PROBE_MAP_COUNTERS] >= 0)
		r = skip_old_numbers(d, &numbers);
	if (r < 0)
		return r;
	return bpf_map_update_elem(probe->maps[PROBE_MAP_COUNTERS], &zero, counters, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static int prepare(struct probe *probe, void *userdata)
{
	struct daemon *d = userdata;
	int r = set_filters(d, probe);

	return r < 0 ? r : continue_numbers(d, probe);
}

struct probe_options setup_probe_options(struct daemon *d)
{
	return (struct probe_options){
		.pin_directory = d->config->pin_directory,
		.ring_bytes = d->config->ring_bytes,
		.cache_entries = d->config->cache_entries,
		.args_max = (uint32_t)d->config->args_max_bytes,
		.failures = (enum probe_failures)d->config->exec_failures,
		.filter = filter_bits(d->config),
		.v1_hierarchy = d->hierarchies.v1_id,
		.v1_controller = d->hierarchies.v1_id ? d->hierarchies.v1_controller : NULL,
		.prepare = prepare,
		.userdata = d,
	};
}

const char *setup_failures_words(enum probe_failures failures)
{
	switch (failures) {
	case PROBE_FAILURES_FEXIT:
		return "failed execs are found by fexit of the system call";
	case PROBE_FAILURES_TRACEPOINT:
		return "failed execs are found by the tracepoint sys_exit, which costs every "
		       "system call some 20 ns";
	default:
		return "failed execs are not recorded";
	}
}

/* What the service manager kept for us over a restart. */
static size_t stored_fds(struct probe_fd *fds, size_t most, char ***ret_names)
{
	int n = sd_listen_fds_with_names(1, ret_names);
	size_t count = 0;

	for (int i = 0; i < n && count < most; i++)
		fds[count++] = (struct probe_fd){(*ret_names)[i], SD_LISTEN_FDS_START + i};
	return count;
}

/* The probe has copies of those that it took. One that stays open would keep a program attached. */
static void forget_stored_fds(char **names)
{
	for (int i = 0; names && names[i]; i++) {
		close(SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	free(names);
}

/* What is kept under these names already is of other programs, or of nobody. */
static void store_fds(struct probe *probe)
{
	struct probe_object objects[PROBE_OBJECTS];

	probe_objects(probe, objects);
	for (int i = 0; i < PROBE_OBJECTS; i++)
		sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s-%s", objects[i].kind, objects[i].name);
	for (int i = 0; i < PROBE_OBJECTS; i++) {
		char message[128];

		if (*objects[i].fd < 0)
			continue;
		snprintf(message, sizeof(message), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s-%s",
			 objects[i].kind, objects[i].name);
		sd_pid_notify_with_fds(0, 0, message, objects[i].fd, 1);
	}
}

/* With a service manager that keeps descriptors there is no need for pinned links. */
bool setup_has_fd_store(void)
{
	return getenv("NOTIFY_SOCKET") && getenv("INVOCATION_ID");
}

/*
 * Entries of the old cache that the new programs have not made themselves by now. Among them may be
 * some that these have freed already, at the end of a process.
 */
static void carry_cache(struct daemon *d)
{
	struct lineage_key key, next;
	struct lineage_process value;
	const struct lineage_key *at = NULL;
	int old = d->old.maps[PROBE_MAP_CACHE], new = d->probe.maps[PROBE_MAP_CACHE];

	while (bpf_map_get_next_key(old, at, &next) == 0) {
		if (bpf_map_lookup_elem(old, &next, &value) == 0)
			bpf_map_update_elem(new, &next, &value, BPF_NOEXIST);
		key = next;
		at = &key;
	}
	d->carried_boot_ns = clock_boot_ns();
}

/*
 * Programs of another layout are still recording: ours are attached by now, so theirs may go. What
 * both have seen is told apart by apply.c.
 */
static int set_up_loaded(struct daemon *d)
{
	if (d->old.maps[PROBE_MAP_EVENTS] >= 0) {
		if (d->old.links[PROBE_LINK_FORK] >= 0) {
			usleep(SWITCHOVER_TOGETHER_NS / 1000);
			d->probe.control->alone_boot_ns = clock_boot_ns();
		}
		probe_detach(&d->old);
		carry_cache(d);
		log_event(MESSAGE_TAKEN_OVER, LOG_INFO, NULL,
			  "taken over from the programs of an earlier lineaged (layout %u)",
			  d->old.control->abi_version);
	}
	if (setup_has_fd_store())
		store_fds(&d->probe);
	return 0;
}

static int set_up_adopted(struct daemon *d)
{
	int r = set_filters(d, &d->probe);

	if (d->old.maps[PROBE_MAP_EVENTS] >= 0) {
		carry_cache(d);
		log_info("an earlier start was cut off while it took over: going on with that");
	}
	if (r == 0)
		log_event(MESSAGE_RESUMED, LOG_INFO, NULL,
			  "resumed: the programs had gone on recording meanwhile");
	return r;
}

int setup_probe(struct daemon *d)
{
	struct probe_options options = setup_probe_options(d);
	struct probe_problem problem;
	struct probe_fd fds[64];
	char **names = NULL;
	size_t count = stored_fds(fds, ARRAY_SIZE(fds), &names);
	int r = probe_open(&d->probe, &d->old, &options, fds, count, !setup_has_fd_store(),
			   &problem);

	forget_stored_fds(names);
	if (r < 0) {
		log_event(MESSAGE_ATTACH_FAILED, LOG_ERR, NULL, "cannot record: %s", problem.text);
		return r;
	}
	log_info("%s", setup_failures_words(probe_failures_of(&d->probe)));
	return d->probe.adopted ? set_up_adopted(d) : set_up_loaded(d);
}
