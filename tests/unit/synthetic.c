/* SPDX-License-Identifier: Apache-2.0 */
#include "synthetic.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <check.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "schema/cleanup.h"

/* Not an assertion of Check: fuzz targets need these as well. */
#define NEED(condition) need(condition, #condition)

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static int make_maps(struct synthetic *s)
{
	struct probe *p = &s->probe;

	p->cpus = libbpf_num_possible_cpus();
	/* Records of two CPUs are wanted even where there is one. */
	if (p->cpus < SYNTHETIC_CPUS)
		p->cpus = SYNTHETIC_CPUS;
	p->maps[PROBE_MAP_CACHE] = bpf_map_create(BPF_MAP_TYPE_HASH, "unit_cache",
						  sizeof(struct lineage_key),
						  sizeof(struct lineage_process), 4096, NULL);
	if (p->maps[PROBE_MAP_CACHE] < 0)
		return -errno;
	p->maps[PROBE_MAP_COUNTERS] = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "unit_counters", 4,
						     sizeof(struct lineage_counters), 1, NULL);
	return p->maps[PROBE_MAP_COUNTERS] < 0 ? -errno : 0;
}

static int make_ring(struct synthetic *s, size_t bytes)
{
	s->page = (size_t)sysconf(_SC_PAGESIZE);
	s->bytes = bytes;
	s->mapped = 2 * s->page + 2 * bytes;
	s->ring_fd = memfd_create("unit-ring", MFD_CLOEXEC);
	if (s->ring_fd < 0 || ftruncate(s->ring_fd, (off_t)s->mapped) < 0)
		return -errno;
	s->ring = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, s->ring_fd, 0);
	return s->ring == MAP_FAILED ? -errno : 0;
}

bool synthetic_possible(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "unit_probe", 4, 4, 1, NULL);

	if (fd < 0)
		printf("skipped: BPF maps cannot be made here: %s\n", strerror(errno));
	else
		close(fd);
	return fd >= 0;
}

int synthetic_init(struct synthetic *s, size_t ring_bytes)
{
	int r;

	memset(s, 0, sizeof(*s));
	probe_init(&s->probe);
	s->base_ns = clock_boot_ns() - 20000000000ULL;
	s->control.abi_version = LINEAGE_ABI_VERSION;
	memcpy(s->control.ring_id, "a ring of a test", 16);
	s->probe.control = &s->control;
	s->probe.ring_bytes = ring_bytes;
	snprintf(s->directory, sizeof(s->directory), "/tmp/lineage-unit.XXXXXX");
	NEED(mkdtemp(s->directory));
	snprintf(s->path, sizeof(s->path), "%s/lineage.db", s->directory);
	r = make_maps(s);
	if (r == 0)
		r = make_ring(s, ring_bytes);
	s->probe.maps[PROBE_MAP_EVENTS] = s->ring_fd;
	if (r < 0)
		synthetic_deinit(s);
	return r;
}

void synthetic_remove(struct synthetic *s)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[100];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", s->path, ends[i]);
		unlink(path);
	}
}

void synthetic_deinit(struct synthetic *s)
{
	synthetic_kill(s);
	if (s->ring && s->ring != MAP_FAILED)
		munmap(s->ring, s->mapped);
	for (int i = 0; i < PROBE_MAPS; i++)
		if (i != PROBE_MAP_EVENTS)
			cleanup_close(&s->probe.maps[i]);
	if (s->ring_fd > 0)
		close(s->ring_fd);
	for (size_t i = 0; i < ARRAY_SIZE(s->iterator); i++)
		if (s->iterator[i] > 0)
			close(s->iterator[i]);
	synthetic_remove(s);
	rmdir(s->directory);
}

void synthetic_start(struct synthetic *s)
{
	struct recorder_options options = {
		.database = s->path,
		.root = "/nowhere",
		.batch_max = 4096,
		.cache_keep_ns = 60000000000ULL,
		.cache_entries = 4096,
		.run = {.version = "0",
			.config_hash = "0",
			.kernel = "0",
			.started_boot_ns = s->base_ns},
	};

	NEED(recorder_init(&s->recorder, &options, &s->probe) == 0);
	NEED(recorder_open(&s->recorder) == 0);
}

void synthetic_kill(struct synthetic *s)
{
	sqlite3_close(s->reader);
	s->reader = NULL;
	if (s->recorder.probe)
		recorder_deinit(&s->recorder);
	s->recorder.probe = NULL;
}

void synthetic_drain(struct synthetic *s)
{
	int r;

	while ((r = recorder_batch(&s->recorder)) > 0)
		;
	NEED(r == 0);
	NEED(ring_consumed(&s->recorder.ring) == ring_produced(&s->recorder.ring));
}

struct lineage_key synthetic_key(const struct synthetic *s, uint32_t pid, int64_t ms)
{
	return (struct lineage_key){.pid = pid,
				    .start_boot_ns = s->base_ns + (uint64_t)ms * 1000000};
}

uint64_t synthetic_lose(struct synthetic *s, int cpu)
{
	return s->next_seq[cpu]++;
}

void synthetic_count(struct synthetic *s)
{
	CLEANUP_FREE struct lineage_counters *c = calloc((size_t)s->probe.cpus, sizeof(*c));
	uint32_t zero = 0;

	for (int i = 0; i < SYNTHETIC_CPUS; i++) {
		c[i].first_seq = s->first_seq[i];
		c[i].next_seq = s->next_seq[i];
	}
	NEED(bpf_map_update_elem(s->probe.maps[PROBE_MAP_COUNTERS], &zero, c, BPF_ANY) == 0);
}

void synthetic_read_counters(struct synthetic *s)
{
	CLEANUP_FREE struct lineage_counters *c = calloc((size_t)s->probe.cpus, sizeof(*c));

	NEED(probe_counters(&s->probe, c) == 0);
	for (int i = 0; i < SYNTHETIC_CPUS; i++)
		s->next_seq[i] = c[i].next_seq;
}

void synthetic_cache(struct synthetic *s, struct lineage_key key, const struct lineage_process *p)
{
	NEED(bpf_map_update_elem(s->probe.maps[PROBE_MAP_CACHE], &key, p, BPF_ANY) == 0);
}

#define RUNS_BYTES ((int)(SYNTHETIC_RUNS_MAX * sizeof(struct lineage_snapshot)))

/* Once at the end of the tasks, all of the map at once. */
static int load_iterator(int map)
{
	const struct bpf_insn instructions[] = {
		{BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_2, BPF_REG_1, 8, 0}, /* ctx->task */
		{BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 14, 0},
		{BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_7, BPF_REG_1, 0, 0}, /* ctx->meta */
		{BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_7, BPF_REG_7, 0, 0}, /* meta->seq */
		{BPF_ST | BPF_W | BPF_MEM, BPF_REG_10, 0, -4, 0},
		{BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map},
		{0},
		{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0},
		{BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4},
		{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
		{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 5, 0},
		{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_7, 0, 0},
		{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_0, 0, 0},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, RUNS_BYTES},
		{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write},
		{0x05, 0, 0, 0, 0}, /* onwards */
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
		{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER);
	int id = libbpf_find_vmlinux_btf_id("task", BPF_TRACE_ITER);

	if (id < 0)
		return id;
	opts.attach_btf_id = (uint32_t)id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "unit_runs", "GPL", instructions,
			     ARRAY_SIZE(instructions), &opts);
}

bool synthetic_runs(struct synthetic *s, const struct lineage_snapshot *what, size_t count)
{
	struct lineage_snapshot all[SYNTHETIC_RUNS_MAX] = {0};
	uint32_t zero = 0;
	int *fd = s->iterator;

	NEED(count <= SYNTHETIC_RUNS_MAX);
	for (size_t i = 0; i < count; i++)
		all[i] = what[i];
	if (fd[2] == 0) {
		fd[0] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unit_runs", 4, (uint32_t)RUNS_BYTES, 1,
				       NULL);
		NEED(fd[0] > 0);
		fd[1] = load_iterator(fd[0]);
		fd[2] = fd[1] < 0 ? fd[1] : bpf_link_create(fd[1], 0, BPF_TRACE_ITER, NULL);
		if (fd[2] < 0)
			printf("skipped: BPF iterators cannot be made here: %s\n",
			       strerror(-fd[2]));
	}
	s->probe.links[PROBE_LINK_SNAPSHOT] = fd[2];
	return fd[2] > 0 && bpf_map_update_elem(fd[0], &zero, all, BPF_ANY) == 0;
}

/* Into both copies of the data, as one write through the kernel's double mapping would be. */
static void put_bytes(struct synthetic *s, uint64_t position, const void *bytes, size_t length)
{
	char *data = s->ring + 2 * s->page;
	size_t at = position & (s->bytes - 1);
	const char *from = bytes;

	for (size_t i = 0; i < length; i++) {
		size_t to = (at + i) & (s->bytes - 1);

		data[to] = data[to + s->bytes] = from[i];
	}
}

void synthetic_put(struct synthetic *s, const void *bytes, size_t length)
{
	unsigned long *consumer = (unsigned long *)s->ring;
	unsigned long *producer = (unsigned long *)(s->ring + s->page);
	uint32_t head[2] = {(uint32_t)length, 0};
	size_t room = (length + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7;

	NEED(*producer + room - *consumer <= s->bytes);
	put_bytes(s, *producer, head, sizeof(head));
	put_bytes(s, *producer + BPF_RINGBUF_HDR_SZ, bytes, length);
	__atomic_store_n(producer, *producer + room, __ATOMIC_RELEASE);
}

void synthetic_head(struct synthetic *s, struct lineage_header *h, int kind, size_t length, int cpu,
		    struct lineage_key process, int64_t ms)
{
	*h = (struct lineage_header){
		.length = (uint32_t)length,
		.kind = (uint16_t)kind,
		.cpu = (uint16_t)cpu,
		.seq = kind == LINEAGE_CGROUP ? 0 : s->next_seq[cpu]++,
		.boot_ns = s->base_ns + (uint64_t)ms * 1000000,
		.process = process,
	};
}

static void set_comm(char to[LINEAGE_COMM_LEN], const char *comm)
{
	memcpy(to, comm, strnlen(comm, LINEAGE_COMM_LEN));
}

static struct lineage_ids ids(struct lineage_key key, uint32_t uid)
{
	return (struct lineage_ids){
		.uid = uid,
		.euid = uid,
		.suid = uid,
		.loginuid = UINT32_MAX,
		.sessionid = UINT32_MAX,
		.sid = 1,
		.pgid = key.pid,
		.ns_pid = key.pid,
		.pid_ns = 4026531836,
		.cgroup_id = 77,
	};
}

void synthetic_fork_by(struct synthetic *s, int cpu, struct lineage_key child,
		       struct lineage_key parent, struct lineage_key creator, const char *comm)
{
	struct lineage_fork f = {.parent = parent, .creator = creator, .ids = ids(child, 0)};

	synthetic_head(s, &f.header, LINEAGE_FORK, sizeof(f), cpu, child, 0);
	f.header.boot_ns = child.start_boot_ns;
	set_comm(f.comm, comm);
	synthetic_put(s, &f, sizeof(f));
}

void synthetic_fork(struct synthetic *s, int cpu, struct lineage_key child,
		    struct lineage_key parent, const char *comm)
{
	synthetic_fork_by(s, cpu, child, parent, parent, comm);
}

void synthetic_exit(struct synthetic *s, int cpu, struct lineage_key process,
		    struct lineage_key parent, int64_t ms, uint32_t status)
{
	struct lineage_exit e = {
		.parent = parent,
		.user_ns = 4000000,
		.system_ns = 4000000,
		.runtime_ns = 6000000,
		.max_rss_kib = 1024,
		.status = status,
		.flags = s->exit_flags,
	};

	synthetic_head(s, &e.header, LINEAGE_EXIT, sizeof(e), cpu, process, ms);
	set_comm(e.comm, "ended");
	synthetic_put(s, &e, sizeof(e));
}

void synthetic_exec(struct synthetic *s, int cpu, const struct synthetic_exec *x)
{
	size_t length = sizeof(struct lineage_exec) + x->exe_length + x->args_length;
	CLEANUP_FREE struct lineage_exec *e = calloc(1, length);

	*e = (struct lineage_exec){
		.parent = x->parent,
		.ids = ids(x->process, x->uid),
		.inode = 12,
		.dev = 8 << 20 | 1,
		.exec_id = x->exec_id,
		.args_total = (uint32_t)x->args_length,
		.args_length = (uint32_t)x->args_length,
		.args_offset = (uint32_t)x->exe_length,
		.exe_length = (uint16_t)x->exe_length,
	};
	synthetic_head(s, &e->header, LINEAGE_EXEC, length, cpu, x->process, x->ms);
	set_comm(e->comm, x->comm);
	memcpy(e->data, x->exe, x->exe_length);
	memcpy(e->data + x->exe_length, x->args, x->args_length);
	for (size_t i = 0; i < x->args_length; i++)
		e->args_count += x->args[i] == 0;
	synthetic_put(s, e, length);
}

void synthetic_failure(struct synthetic *s, int cpu, const struct synthetic_failure *x)
{
	size_t length = sizeof(struct lineage_exec_failure) + x->filename_length + x->args_length;
	CLEANUP_FREE struct lineage_exec_failure *f = calloc(1, length);

	*f = (struct lineage_exec_failure){
		.error = x->error,
		.flags = x->flags,
		.directory = x->directory,
		.args_total = (uint32_t)x->args_length,
		.args_length = (uint32_t)x->args_length,
		.args_offset = (uint32_t)x->filename_length,
		.filename_length = (uint32_t)x->filename_length,
	};
	synthetic_head(s, &f->header, LINEAGE_EXEC_FAILURE, length, cpu, x->process, x->ms);
	set_comm(f->comm, "caller");
	memcpy(f->data, x->filename, x->filename_length);
	memcpy(f->data + x->filename_length, x->args, x->args_length);
	for (size_t i = 0; i < x->args_length; i++)
		f->args_count += x->args[i] == 0;
	synthetic_put(s, f, length);
}

static sqlite3_stmt *query(struct synthetic *s, const char *format, va_list list)
{
	char *sql = sqlite3_vmprintf(format, list);
	sqlite3_stmt *stmt = NULL;

	if (!s->reader)
		NEED(schema_open_reader(s->path, &s->reader) == 0);
	if (sqlite3_prepare_v2(s->reader, sql, -1, &stmt, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(s->reader));
		abort();
	}
	sqlite3_free(sql);
	return stmt;
}

static const char *text(sqlite3_stmt *stmt, int column)
{
	const char *value = (const char *)sqlite3_column_text(stmt, column);

	return value ? value : "";
}

const char *synthetic_sql(struct synthetic *s, const char *format, ...)
{
	static char answer[4096];
	sqlite3_stmt *stmt;
	va_list list;

	va_start(list, format);
	stmt = query(s, format, list);
	va_end(list);
	snprintf(answer, sizeof(answer), "%s",
		 sqlite3_step(stmt) == SQLITE_ROW ? text(stmt, 0) : "none");
	sqlite3_finalize(stmt);
	return answer;
}

const char *synthetic_rows(struct synthetic *s, const char *format, ...)
{
	static char answer[8192];
	size_t n = 0;
	sqlite3_stmt *stmt;
	va_list list;

	va_start(list, format);
	stmt = query(s, format, list);
	va_end(list);
	answer[0] = 0;
	while (sqlite3_step(stmt) == SQLITE_ROW && n < sizeof(answer)) {
		n += (size_t)snprintf(answer + n, sizeof(answer) - n, "%s", n ? "\n" : "");
		for (int i = 0; i < sqlite3_column_count(stmt) && n < sizeof(answer); i++)
			n += (size_t)snprintf(answer + n, sizeof(answer) - n, "%s%s", i ? "|" : "",
					      text(stmt, i));
	}
	sqlite3_finalize(stmt);
	return answer;
}

#define EVENTS                                                               \
	"(SELECT cpu, seq FROM fork WHERE seq IS NOT NULL UNION ALL "        \
	"SELECT cpu, seq FROM exec WHERE seq IS NOT NULL UNION ALL "         \
	"SELECT cpu, seq FROM exec_failure WHERE seq IS NOT NULL UNION ALL " \
	"SELECT cpu, seq FROM exit WHERE seq IS NOT NULL)"

void synthetic_prove(struct synthetic *s)
{
	ck_assert_str_eq(synthetic_rows(s,
					"SELECT pid, start_boot_ns, count(*) FROM process "
					"GROUP BY boot_id, pid, start_boot_ns HAVING count(*) > 1"),
			 "");
	ck_assert_str_eq(synthetic_rows(s, "SELECT cpu, seq, count(*) FROM " EVENTS
					   " GROUP BY cpu, seq HAVING count(*) > 1"),
			 "");
	/* Every number is in a row, or counted in a gap, and not in both. */
	ck_assert_str_eq(
		synthetic_rows(s, "SELECT cpu, next_seq - first_seq - unseen - "
				  "(SELECT count(*) FROM " EVENTS " e WHERE e.cpu = c.cpu) - "
				  "(SELECT coalesce(sum(lost), 0) FROM gap_row g "
				  "WHERE g.cpu = c.cpu AND g.boot = c.boot) "
				  "AS unexplained FROM cpu_position c WHERE unexplained <> 0"),
		"");
	ck_assert_str_eq(synthetic_rows(s, "SELECT g.cpu, first_seq, last_seq, lost FROM gap_row g "
					   "WHERE lost > 0 AND last_seq - first_seq + 1 <> lost + "
					   "(SELECT count(*) FROM " EVENTS " e WHERE e.cpu = g.cpu "
					   "AND e.seq BETWEEN g.first_seq AND g.last_seq)"),
			 "");
	ck_assert_str_eq(synthetic_sql(s, "PRAGMA integrity_check"), "ok");
}
