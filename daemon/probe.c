/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "daemon/probe_load.h"
#include "schema/cleanup.h"

static const char *const map_names[PROBE_MAPS] = {
	[PROBE_MAP_CACHE] = "process_cache", [PROBE_MAP_EVENTS] = "events",
	[PROBE_MAP_COUNTERS] = "counters",   [PROBE_MAP_CONTROL] = "control",
	[PROBE_MAP_CGROUPS] = "cgroups",     [PROBE_MAP_FILTER] = "cgroup_filter",
	[PROBE_MAP_CLAIMS] = "exit_claims",
};

/*
 * A link's pin must not have a map's name. Programs are kept for their statistics: a program's
 * descriptor cannot be had later without CAP_SYS_ADMIN.
 */
static const struct {
	const char *name; /* of the link and of the program, in the store and as a pin */
	const char *program;
	bool may_lack;
} link_names[PROBE_LINKS] = {
	[PROBE_LINK_EXEC] = {"exec", "lineage_exec", false},
	[PROBE_LINK_EXIT] = {"exit", "lineage_exit", false},
	[PROBE_LINK_FORK] = {"fork", "lineage_fork", false},
	[PROBE_LINK_SPARE_EXEC] = {"spare_exec", "spare_exec", true},
	[PROBE_LINK_SPARE_EXIT] = {"spare_exit", "spare_exit", true},
	[PROBE_LINK_SPARE_FORK] = {"spare_fork", "spare_fork", true},
	[PROBE_LINK_SPARE_FAILED_EXECVE] = {"spare_failed_execve", "spare_failed_execve", true},
	[PROBE_LINK_SPARE_FAILED_EXECVEAT] = {"spare_failed_execveat", "spare_failed_execveat",
					      true},
	[PROBE_LINK_SPARE_FAILED_EXECVE32] = {"spare_failed_execve32", "spare_failed_execve32",
					      true},
	[PROBE_LINK_SPARE_FAILED_EXECVEAT32] = {"spare_failed_execveat32",
						"spare_failed_execveat32", true},
	[PROBE_LINK_FAILED_ANY] = {"failed_any", "failed_any", true},
	[PROBE_LINK_FAILED_EXECVE] = {"failed_execve", "failed_execve", true},
	[PROBE_LINK_FAILED_EXECVEAT] = {"failed_execveat", "failed_execveat", true},
	[PROBE_LINK_FAILED_EXECVE32] = {"failed_execve32", "failed_execve32", true},
	[PROBE_LINK_FAILED_EXECVEAT32] = {"failed_execveat32", "failed_execveat32", true},
	[PROBE_LINK_TOUCH_EXECVE] = {"touch_execve", "touch_execve", true},
	[PROBE_LINK_TOUCH_EXECVEAT] = {"touch_execveat", "touch_execveat", true},
	[PROBE_LINK_SNAPSHOT] = {"snapshot", "lineage_snapshot", false},
};

void probe_objects(struct probe *probe, struct probe_object objects[PROBE_OBJECTS])
{
	struct probe_object *o = objects;

	for (int i = 0; i < PROBE_MAPS; i++)
		*o++ = (struct probe_object){"map", map_names[i], &probe->maps[i], false};
	for (int i = 0; i < PROBE_LINKS; i++)
		*o++ = (struct probe_object){"link", link_names[i].name, &probe->links[i],
					     link_names[i].may_lack};
	for (int i = 0; i < PROBE_PROGRAMS; i++)
		*o++ = (struct probe_object){"prog", link_names[i].name, &probe->programs[i],
					     link_names[i].may_lack};
}

void probe_init(struct probe *probe)
{
	struct probe_object objects[PROBE_OBJECTS];

	*probe = (struct probe){.control = MAP_FAILED, .lock = -1};
	probe_objects(probe, objects);
	for (int i = 0; i < PROBE_OBJECTS; i++)
		*objects[i].fd = -1;
}

/* Maps have their own names, for bpftool; the rest says what it is. */
static int pin_path(char *path, const char *directory, const struct probe_object *object)
{
	bool is_map = strcmp(object->kind, "map") == 0;
	int n = snprintf(path, PATH_MAX, "%s/%s%s%s", directory, is_map ? "" : object->kind,
			 is_map ? "" : "_", object->name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int duplicate(int fd, int *ret_fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	*ret_fd = copy;
	return 0;
}

/* The maps' fds outlive the skeleton. */
static int keep_maps(struct probe *probe, struct bpf_object *object)
{
	for (int i = 0; i < PROBE_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, map_names[i]);
		int r = map ? duplicate(bpf_map__fd(map), &probe->maps[i]) : -ENOENT;

		if (r < 0)
			return r;
	}
	return 0;
}

static int map_control(struct probe *probe)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
		       probe->maps[PROBE_MAP_CONTROL], 0);

	if (p == MAP_FAILED)
		return -errno;
	probe->control = p;
	probe->cpus = libbpf_num_possible_cpus();
	if (bpf_obj_get_info_by_fd(probe->maps[PROBE_MAP_EVENTS], &info, &size) < 0)
		return -errno;
	probe->ring_bytes = info.max_entries;
	return probe->cpus < 0 ? probe->cpus : 0;
}

static int attach(struct probe *probe, struct bpf_object *object, struct probe_problem *problem)
{
	for (int i = 0; i < PROBE_LINKS; i++) {
		const char *name = link_names[i].program;
		struct bpf_program *program = bpf_object__find_program_by_name(object, name);
		struct bpf_link *link;
		int r;

		if (link_names[i].may_lack && !(program && bpf_program__autoload(program)))
			continue;
		link = program ? bpf_program__attach(program) : NULL;
		if (!link) {
			r = program ? -errno : -ENOENT;
			probe_explain(problem, "attaching %s failed: %s: %s", name, strerror(-r),
				      probe_said);
			return r;
		}
		r = duplicate(bpf_link__fd(link), &probe->links[i]);
		/* Our copy of the fd holds the link. */
		bpf_link__disconnect(link);
		bpf_link__destroy(link);
		if (r == 0 && i < PROBE_PROGRAMS)
			r = duplicate(bpf_program__fd(program), &probe->programs[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_directory(const char *path, struct probe_problem *problem)
{
	if (mkdir(path, 0750) == 0 || errno == EEXIST)
		return 0;
	probe_explain(problem,
		      "cannot make %s: %s; is the BPF file system mounted (mount -t bpf bpf "
		      "/sys/fs/bpf)?",
		      path, strerror(errno));
	return -errno;
}

/* everything: links too, so that recording goes on when nobody holds them. */
static int pin(struct probe *probe, bool everything, struct probe_problem *problem)
{
	struct probe_object objects[PROBE_OBJECTS];
	char path[PATH_MAX];
	int r = make_directory(probe->pin_directory, problem);

	probe_objects(probe, objects);
	for (int i = 0; r == 0 && i < (everything ? PROBE_OBJECTS : PROBE_MAPS); i++) {
		if (*objects[i].fd < 0)
			continue;
		r = pin_path(path, probe->pin_directory, &objects[i]);
		if (r == 0 && bpf_obj_pin(*objects[i].fd, path) < 0 && errno != EEXIST)
			r = -errno;
	}
	if (r < 0 && !problem->text[0])
		probe_explain(problem, "cannot pin below %s: %s; it must lie on a BPF file system",
			      probe->pin_directory, strerror(-r));
	return r;
}

/* Links first: what is not attached does no harm without its maps' names. */
static void unpin(struct probe *probe)
{
	struct probe_object objects[PROBE_OBJECTS];
	char path[PATH_MAX];

	probe_objects(probe, objects);
	for (int i = PROBE_OBJECTS; i-- > 0;)
		if (pin_path(path, probe->pin_directory, &objects[i]) == 0)
			unlink(path);
}

/* From the service manager if it kept the object, else from its pin. */
static int take(const struct probe_object *object, const struct probe_fd *fds, size_t fds_count,
		const char *pin_directory)
{
	char path[PATH_MAX];
	char wanted[64];
	int fd, r;

	snprintf(wanted, sizeof(wanted), "%s-%s", object->kind, object->name);
	for (size_t i = 0; i < fds_count; i++)
		if (strcmp(fds[i].name, wanted) == 0)
			return duplicate(fds[i].fd, object->fd);
	r = pin_path(path, pin_directory, object);
	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	*object->fd = fd;
	return 0;
}

static void drop_fds(struct probe *probe)
{
	struct probe_object objects[PROBE_OBJECTS];

	probe_objects(probe, objects);
	for (int i = 0; i < PROBE_OBJECTS; i++) {
		cleanup_close(objects[i].fd);
		*objects[i].fd = -1;
	}
	if (probe->control != MAP_FAILED)
		munmap(probe->control, (size_t)sysconf(_SC_PAGESIZE));
	probe->control = MAP_FAILED;
}

/* 0 if everything that an earlier daemon left is there, of this layout, and still attached. */
static int adopt(struct probe *probe, const struct probe_options *options,
		 const struct probe_fd *fds, size_t fds_count)
{
	struct probe_object objects[PROBE_OBJECTS];
	int r = 0;

	probe_objects(probe, objects);
	for (int i = 0; r == 0 && i < PROBE_OBJECTS; i++) {
		r = take(&objects[i], fds, fds_count, options->pin_directory);
		if (r == -ENOENT && objects[i].may_lack)
			r = 0;
	}
	if (r == 0)
		r = map_control(probe);
	if (r < 0) {
		drop_fds(probe);
		return r;
	}
	probe->adopted = true;
	return 0;
}

/* A bit for each link that is there. */
static uint64_t attached(const struct probe *probe)
{
	uint64_t bits = 0;

	for (int i = 0; i < PROBE_LINKS; i++)
		bits |= (uint64_t)(probe->links[i] >= 0) << i;
	return bits;
}

/*
 * Programs that would be loaded today: code, and what is fixed at load. Of another lineaged, with
 * another RingSize=, or where a link has been lost since, they are replaced.
 */
static uint64_t programs_hash(const struct probe *probe, const struct probe_options *options)
{
	const uint64_t numbers[] = {options->ring_bytes,
				    options->cache_entries,
				    options->args_max,
				    (uint64_t)options->failures,
				    (uint64_t)options->v1_hierarchy,
				    LINEAGE_ABI_VERSION,
				    attached(probe)};

	return probe_objects_hash(XXH3_64bits_withSeed(numbers, sizeof(numbers), 0));
}

/* The layouts whose records this build can read: those that differ from its own in nothing yet. */
static bool is_readable(uint32_t abi_version)
{
	return abi_version >= 1 && abi_version <= LINEAGE_ABI_VERSION;
}

/* To callers, EINVAL is a configuration that makes no sense: only options->prepare may find that.
 */
static int not_of_caller(int error)
{
	return error == -EINVAL ? -EOPNOTSUPP : error;
}

static int start_anew(struct probe *probe, const struct probe_options *options,
		      struct probe_problem *problem)
{
	struct probe_opened o = {0};
	int r = probe_load(&o, options, problem);

	if (r == 0)
		r = keep_maps(probe, o.object);
	if (r == 0)
		r = map_control(probe);
	r = not_of_caller(r);
	if (r == 0) {
		probe->control->abi_version = LINEAGE_ABI_VERSION;
		probe->control->filter = options->filter;
		probe->control->v1_hierarchy = options->v1_hierarchy;
		if (getrandom(probe->control->ring_id, sizeof(probe->control->ring_id), 0) < 0)
			r = -errno;
	}
	if (r == 0 && options->prepare)
		r = options->prepare(probe, options->userdata);
	if (r == 0)
		r = not_of_caller(attach(probe, o.object, problem));
	if (r == 0)
		probe->control->programs = programs_hash(probe, options);
	probe_unload(&o);
	return r;
}

static int old_pin(char *path, const char *directory, int map)
{
	int n = snprintf(path, PATH_MAX, "%s/old_%s", directory, map_names[map]);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void forget_old(const struct probe *probe)
{
	char path[PATH_MAX];

	for (int i = 0; i < PROBE_MAPS; i++)
		if (old_pin(path, probe->pin_directory, i) == 0)
			unlink(path);
}

/* As far as it can be done: only a start that is cut off needs them. */
static void keep_old(const struct probe *probe, const struct probe *old)
{
	char path[PATH_MAX];

	forget_old(probe);
	for (int i = 0; i < PROBE_MAPS; i++)
		if (old_pin(path, probe->pin_directory, i) == 0)
			bpf_obj_pin(old->maps[i], path);
}

/* The maps of programs that are detached, and that nobody has read to their end. */
static int take_old(struct probe *old, const char *pin_directory)
{
	char path[PATH_MAX];
	int r = 0;

	for (int i = 0; r == 0 && i < PROBE_MAPS; i++) {
		r = old_pin(path, pin_directory, i);
		if (r == 0)
			old->maps[i] = bpf_obj_get(path);
		if (r == 0 && old->maps[i] < 0)
			r = -errno;
	}
	if (r == 0)
		r = map_control(old);
	if (r == 0 && !is_readable(old->control->abi_version))
		r = -EPROTO;
	if (r < 0)
		drop_fds(old);
	return r;
}

static bool same_ring(const struct probe *a, const struct probe *b)
{
	return memcmp(a->control->ring_id, b->control->ring_id, sizeof(a->control->ring_id)) == 0;
}

void probe_drained(struct probe *probe, struct probe *old)
{
	forget_old(probe);
	probe_close(old, false);
}

/*
 * What an earlier daemon left: taken over as it is; or, if it is of another layout, put into *old
 * to be drained; or, if it is incomplete or nothing that can be read, given up. If that daemon was
 * about to do the same, what it had to drain comes first, and other programs with the next start.
 */
static void find_left(struct probe *probe, struct probe *old, const struct probe_options *options,
		      const struct probe_fd *fds, size_t fds_count)
{
	bool cut_off = take_old(old, options->pin_directory) == 0;
	int lock;

	if (adopt(probe, options, fds, fds_count) < 0)
		return;
	if (cut_off && same_ring(probe, old)) {
		drop_fds(old);
		cut_off = false;
	}
	if (probe->control->abi_version == LINEAGE_ABI_VERSION &&
	    (cut_off || probe->control->programs == programs_hash(probe, options))) {
		/* The programs have gone on. */
		old->adopted = cut_off;
		return;
	}
	drop_fds(old);
	if (is_readable(probe->control->abi_version)) {
		*old = *probe;
		old->lock = -1;
	} else {
		drop_fds(probe);
	}
	lock = probe->lock;
	probe_init(probe);
	probe->pin_directory = options->pin_directory;
	probe->lock = lock;
}

/* One ring has one reader. The lock goes with the process, however that ends. */
static int lock_directory(struct probe *probe, struct probe_problem *problem)
{
	int r = make_directory(probe->pin_directory, problem);

	if (r < 0)
		return r;
	probe->lock = open(probe->pin_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (probe->lock < 0) {
		r = -errno;
		probe_explain(problem, "%s: %s", probe->pin_directory, strerror(-r));
		return r;
	}
	if (flock(probe->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	probe_explain(problem, "%s is in use by another lineaged; give this one another --pin-dir",
		      probe->pin_directory);
	cleanup_close(&probe->lock);
	probe->lock = -1;
	probe->pin_directory = NULL;
	return r;
}

int probe_open(struct probe *probe, struct probe *old, const struct probe_options *options,
	       const struct probe_fd *fds, size_t fds_count, bool pin_links,
	       struct probe_problem *problem)
{
	bool started = true;
	int r = 0;

	probe_init(probe);
	probe_init(old);
	problem->text[0] = 0;
	probe->pin_directory = options->pin_directory;
	r = lock_directory(probe, problem);
	if (r < 0)
		return r;
	find_left(probe, old, options, fds, fds_count);
	if (!probe->adopted) {
		r = start_anew(probe, options, problem);
		started = r == 0;
		/* Links in *old stay attached: their descriptors hold them. Until there is
		 * something better, their pins do so as well. */
		if (started && old->maps[PROBE_MAP_EVENTS] >= 0)
			keep_old(probe, old);
		if (started)
			unpin(probe);
	}
	if (r == 0)
		r = not_of_caller(pin(probe, pin_links, problem));
	if (r < 0) {
		if (!problem->text[0])
			probe_explain(problem, "%s", strerror(-r));
		probe_close(probe, started && !probe->adopted);
		/* Where nothing of an earlier daemon is in it. */
		rmdir(options->pin_directory);
	}
	return r;
}

void probe_detach(struct probe *probe)
{
	/* Whose birth is seen is to be seen whole. */
	cleanup_close(&probe->links[PROBE_LINK_FORK]);
	probe->links[PROBE_LINK_FORK] = -1;
	for (int i = 0; i < PROBE_LINKS; i++) {
		cleanup_close(&probe->links[i]);
		probe->links[i] = -1;
	}
}

int probe_try(const struct probe_options *options, enum probe_failures *ret_failures,
	      struct probe_problem *problem)
{
	struct probe_opened o = {0};
	int r;

	problem->text[0] = 0;
	r = probe_load(&o, options, problem);
	if (r == 0)
		*ret_failures = o.failures;
	probe_unload(&o);
	return not_of_caller(r);
}

enum probe_failures probe_failures_of(const struct probe *probe)
{
	if (probe->links[PROBE_LINK_FAILED_ANY] >= 0)
		return PROBE_FAILURES_TRACEPOINT;
	return probe->links[PROBE_LINK_FAILED_EXECVE] >= 0 ? PROBE_FAILURES_FEXIT
							   : PROBE_FAILURES_NO;
}

void probe_close(struct probe *probe, bool detach)
{
	if (detach && probe->pin_directory) {
		unpin(probe);
		rmdir(probe->pin_directory);
	}
	drop_fds(probe);
	cleanup_close(&probe->lock);
	probe->lock = -1;
}
