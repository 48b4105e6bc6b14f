/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct bpf_object *object;
static struct bpf_link *links[20];
static int link_count;
static struct ring_buffer *ring;
static struct record *first, **last = &first;

static int say_warnings(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int set_rodata(const char *name, __u64 value)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, id) : NULL;
	struct bpf_map *map, *found = NULL;
	size_t size;
	char *data;

	bpf_object__for_each_map (map, object) {
		if (strstr(bpf_map__name(map), ".rodata"))
			found = map;
	}
	if (!section || !found)
		return -ENOENT;
	data = (char *)bpf_map__initial_value(found, &size);
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *var = btf_var_secinfos(section) + i;
		const struct btf_type *t = btf__type_by_id(btf, var->type);

		if (strcmp(btf__name_by_offset(btf, t->name_off), name) == 0) {
			memcpy(data + var->offset, &value, var->size);
			return 0;
		}
	}
	return -ENOENT;
}

/* Since 6.17 the tracepoint has a third parameter that says whether the process ends. */
static bool has_group_dead(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "btf_trace_sched_process_exit", BTF_KIND_TYPEDEF);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;

	t = t ? btf__type_by_id(btf, t->type) : NULL;
	t = t ? btf__type_by_id(btf, t->type) : NULL;
	return t && btf_is_func_proto(t) && btf_vlen(t) == 3;
}

static int subsys_id(const struct btf *btf, const char *controller)
{
	int id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;
	char name[64];

	snprintf(name, sizeof(name), "%s_cgrp_id", controller);
	for (int i = 0; t && i < btf_vlen(t); i++) {
		if (strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), name) == 0)
			return btf_enum(t)[i].val;
	}
	return -1;
}

static int set_facts(const struct recorder_options *options)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int r;

	if (!btf)
		return -errno;
	printf("# group_dead %d\n", has_group_dead(btf));
	r = set_rodata("has_group_dead", has_group_dead(btf));
	if (r == 0)
		r = set_rodata("may_probe_kernel", !options->no_probe);
	if (r == 0 && options->v1)
		r = set_rodata("v1_subsys", (__u64)subsys_id(btf, options->v1));
	btf__free(btf);
	return r;
}

/*
 * Under lockdown=confidentiality libbpf takes the refusal of bpf_probe_read_kernel for a kernel
 * without it, and replaces that and bpf_probe_read_user by the old bpf_probe_read, which is refused
 * as well. This puts the helpers for user memory back, just before the program is loaded.
 */
static int restore_user_reads(struct bpf_program *program, struct bpf_prog_load_opts *opts,
			      long cookie)
{
	struct bpf_insn *insns = (struct bpf_insn *)bpf_program__insns(program);

	for (size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg)
			continue;
		if (insns[i].imm == BPF_FUNC_probe_read)
			insns[i].imm = BPF_FUNC_probe_read_user;
		else if (insns[i].imm == BPF_FUNC_probe_read_str)
			insns[i].imm = BPF_FUNC_probe_read_user_str;
	}
	opts->attach_btf_id = (__u32)cookie;
	return 0;
}

static int attach_trace(const struct bpf_program *program, long cookie, struct bpf_link **ret_link)
{
	*ret_link = bpf_program__attach_trace(program);
	return *ret_link ? 0 : -errno;
}

static int keep_user_reads(void)
{
	int id = libbpf_find_vmlinux_btf_id("sched_process_exec", BPF_TRACE_RAW_TP);
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = id,
		    .prog_prepare_load_fn = restore_user_reads, .prog_attach_fn = attach_trace);
	int r = id;

	if (id > 0)
		r = libbpf_register_prog_handler("tp_btf/sched_process_exec", BPF_PROG_TYPE_TRACING,
						 BPF_TRACE_RAW_TP, &opts);
	return r < 0 ? r : 0;
}

static int map_fd(const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static int keep(void *unused, void *data, size_t size)
{
	struct lineage_header *header = data;
	struct record *record;

	if (size < sizeof(*header) || header->length > size || header->length < sizeof(*header)) {
		fprintf(stderr, "malformed record: kind %u, length %u of %zu\n", header->kind,
			header->length, size);
		abort();
	}
	record = malloc(sizeof(*record) + size);
	if (!record)
		return -ENOMEM;
	record->next = NULL;
	memcpy(record->raw, data, size);
	*last = record;
	last = &record->next;
	return 0;
}

static int set_control(const struct recorder_options *options)
{
	struct lineage_control control = {.abi_version = LINEAGE_ABI_VERSION,
					  .filter = LINEAGE_FILTER_CGROUPS,
					  .v1_hierarchy = options->v1_hierarchy};
	__u32 zero = 0;

	return bpf_map_update_elem(map_fd("control"), &zero, &control, BPF_ANY);
}

static int attach(void)
{
	struct bpf_program *program;
	int r;

	bpf_object__for_each_program (program, object) {
		struct bpf_link *link;

		if (!bpf_program__autoload(program))
			continue;
		link = bpf_program__attach(program);
		if (!link) {
			r = -errno;
			fprintf(stderr, "%s: %s\n", bpf_program__name(program), strerror(-r));
			return r;
		}
		links[link_count++] = link;
	}
	return 0;
}

/* Attaches one program for a moment, in an object of its own. */
static bool can_attach(const char *path, const char *name)
{
	struct bpf_object *trial = bpf_object__open_file(path, NULL);
	struct bpf_program *program, *found = NULL;
	struct bpf_link *link = NULL;

	libbpf_set_print(NULL);
	bpf_object__for_each_program (program, trial) {
		bool wanted = strcmp(bpf_program__name(program), name) == 0;

		bpf_program__set_autoload(program, wanted);
		found = wanted ? program : found;
	}
	if (found && bpf_object__load(trial) == 0)
		link = bpf_program__attach(found);
	bpf_link__destroy(link);
	bpf_object__close(trial);
	libbpf_set_print(say_warnings);
	return link;
}

static bool touches;

bool recorder_touches(void)
{
	return touches;
}

bool recorder_spares(void)
{
	return bpf_object__find_program_by_name(object, "spare_exit");
}

static bool is_wanted(const char *name, const char *path, bool fexit)
{
	if (strcmp(name, "failed_any") == 0)
		return !fexit;
	return fexit && (!strncmp(name, "failed_", 7) || !strncmp(name, "touch_", 6)) &&
	       can_attach(path, name);
}

static void want_failures(const char *path)
{
	bool fexit = can_attach(path, "failed_execve") && can_attach(path, "failed_execveat");
	struct bpf_program *program;

	touches = fexit && can_attach(path, "touch_execve");
	bpf_object__for_each_program (program, object) {
		const char *name = bpf_program__name(program);

		if (strncmp(name, "lineage_", 8) != 0 && strncmp(name, "spare_", 6) != 0)
			bpf_program__set_autoload(program, is_wanted(name, path, fexit));
	}
}

static void print_loaded(void)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, object) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0)
			printf("# %s: %u verified, %u jited bytes\n", bpf_program__name(program),
			       info.verified_insns, info.jited_prog_len);
	}
}

int recorder_start(const struct recorder_options *options)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int r;

	libbpf_set_print(say_warnings);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	r = options->no_probe ? keep_user_reads() : 0;
	if (r < 0)
		return r;
	object = bpf_object__open_file(options->object, NULL);
	if (!object)
		return -errno;
	r = set_facts(options);
	if (options->failures)
		want_failures(options->object);
	if (r == 0)
		r = bpf_object__load(object);
	if (r == 0)
		r = set_control(options);
	if (r == 0 && options->pin_dir)
		r = bpf_object__pin_maps(object, options->pin_dir);
	if (r == 0)
		r = attach();
	if (r < 0)
		return r;
	print_loaded();
	ring = ring_buffer__new(map_fd("events"), keep, NULL, NULL);
	return ring ? 0 : -errno;
}

void recorder_stop(void)
{
	recorder_forget();
	ring_buffer__free(ring);
	for (int i = 0; i < link_count; i++)
		bpf_link__destroy(links[i]);
	if (object)
		bpf_object__unpin_maps(object, NULL);
	bpf_object__close(object);
}

int recorder_include(__u64 cgroup_id)
{
	struct lineage_cgroup_key key = {.id = cgroup_id};
	__u32 include = LINEAGE_SUBTREE_INCLUDE;

	return bpf_map_update_elem(map_fd("cgroup_filter"), &key, &include, BPF_ANY);
}

int recorder_filter(__u64 cgroup_id, __u32 subtree)
{
	struct lineage_cgroup_key key = {.id = cgroup_id};
	struct lineage_control control;
	__u32 zero = 0;
	int fd = map_fd("control");

	if (bpf_map_update_elem(map_fd("cgroup_filter"), &key, &subtree, BPF_ANY) < 0 ||
	    bpf_map_lookup_elem(fd, &zero, &control) < 0)
		return -1;
	control.cgroups_emptied++;
	return bpf_map_update_elem(fd, &zero, &control, BPF_ANY);
}

int recorder_drain(void)
{
	return ring_buffer__consume(ring);
}

struct record *recorder_find(int kind, pid_t pid, struct record *after)
{
	struct record *r = after ? after->next : first;

	while (r && (r->header.kind != kind || (pid && r->header.process.pid != (__u32)pid)))
		r = r->next;
	return r;
}

int recorder_count(int kind, pid_t pid)
{
	int n = 0;

	for (struct record *r = recorder_find(kind, pid, NULL); r; r = recorder_find(kind, pid, r))
		n++;
	return n;
}

void recorder_forget(void)
{
	while (first) {
		struct record *next = first->next;

		free(first);
		first = next;
	}
	last = &first;
}

void recorder_tally(struct recorder_tally *tally)
{
	for (struct record *r = first; r; r = r->next) {
		tally->forks += r->header.kind == LINEAGE_FORK;
		tally->execs += r->header.kind == LINEAGE_EXEC;
		tally->exits += r->header.kind == LINEAGE_EXIT;
	}
	recorder_forget();
}

int recorder_cache(const struct lineage_key *key, struct lineage_process *ret_process)
{
	return bpf_map_lookup_elem(map_fd("process_cache"), key, ret_process);
}

__u64 recorder_lost(void)
{
	struct lineage_counters counters[64];
	__u32 zero = 0;
	__u64 n = 0;

	if (libbpf_num_possible_cpus() > 64 ||
	    bpf_map_lookup_elem(map_fd("counters"), &zero, counters) < 0)
		return (__u64)-1;
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		for (int kind = 0; kind < LINEAGE_KINDS; kind++)
			n += counters[cpu].lost[kind];
	}
	return n;
}

__u64 recorder_missed(const char *prefix)
{
	struct bpf_program *program;
	__u64 n = 0;

	bpf_object__for_each_program (program, object) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);

		if (strncmp(bpf_program__name(program), prefix, strlen(prefix)) == 0 &&
		    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0)
			n += info.recursion_misses;
	}
	return n;
}

void recorder_path(const char *data, size_t length, char *ret_path, size_t size)
{
	char *at = ret_path + size - 1;
	size_t begin = 0;

	*at = 0;
	while (begin < length) {
		size_t n = strnlen(data + begin, length - begin);

		if (at - ret_path < (ptrdiff_t)n + 1)
			break;
		at -= n;
		memcpy(at, data + begin, n);
		*--at = '/';
		begin += n + 1;
	}
	if (!*at)
		*--at = '/';
	memmove(ret_path, at, strlen(at) + 1);
}

int recorder_snapshot(void (*each)(const struct lineage_snapshot *s, void *arg), void *arg)
{
	struct lineage_snapshot s;
	size_t have = 0;
	ssize_t n;
	int fd = -1;

	for (int i = 0; i < link_count && fd < 0; i++)
		fd = bpf_iter_create(bpf_link__fd(links[i]));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, (char *)&s + have, sizeof(s) - have)) > 0) {
		have += (size_t)n;
		if (have == sizeof(s)) {
			each(&s, arg);
			have = 0;
		}
	}
	close(fd);
	return n < 0 ? -errno : 0;
}

int recorder_stats(struct recorder_stats stats[3])
{
	static const char *const names[3] = {"lineage_fork", "lineage_exec", "lineage_exit"};

	for (int i = 0; i < 3; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);

		if (!program || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) < 0)
			return -errno;
		stats[i] = (struct recorder_stats){names[i] + 8, info.run_time_ns, info.run_cnt};
	}
	return 0;
}
