/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each record means for the book. The only place where events become facts about processes.
 */
#include "daemon/recorder.h"

#include <errno.h>
#include <string.h>

#include "daemon/store_load.h"

static int new_process(struct recorder *r, const struct lineage_key *key,
		       struct process **ret_process)
{
	struct process *p = book_add(&r->book, key, r->store.next_process);

	if (!p)
		return -ENOMEM;
	r->store.next_process++;
	book_change(&r->book, p);
	*ret_process = p;
	return 0;
}

int apply_process_id(struct recorder *r, const struct lineage_key *key, int64_t *ret_id)
{
	struct process *p;
	int64_t id = 0;
	int result;

	*ret_id = ROW_NONE;
	if (key->pid == 0)
		return 0;
	p = book_find(&r->book, key);
	if (p) {
		*ret_id = p->process_id;
		return 0;
	}
	/* Ended long ago: a record that comes late, or a parent that ended while nobody recorded.
	 */
	result = store_find_process(&r->store, key, &id);
	if (result < 0)
		return result;
	if (id) {
		*ret_id = id;
		return 0;
	}
	result = apply_process(r, key, &p);
	if (result == 0)
		*ret_id = p->process_id;
	return result;
}

int apply_process(struct recorder *r, const struct lineage_key *key, struct process **ret_process)
{
	struct lineage_process kept;
	struct process *p = book_find(&r->book, key);
	bool is_kept;
	int64_t id = 0;
	int result;

	if (p) {
		*ret_process = p;
		return 0;
	}
	result = store_find_process(&r->store, key, &id);
	if (result == 0 && id)
		return 1;
	if (result == 0)
		result = new_process(r, key, &p);
	if (result < 0)
		return result;
	r->counters.inferred++;
	is_kept = recover_lookup(r, key, &kept) == 0;
	*ret_process = p;
	/* Where no event of it was seen, /proc knows more of it if it still runs. */
	if (!is_kept || !kept.known)
		result = recover_from_node(r, p);
	if (result == 0 && is_kept && p->birth == PROVENANCE_INFERRED)
		result = recover_birth(r, p, &kept);
	return result;
}

/* A child starts as a copy of its creator: same image, same directory, same name. */
static void inherit_image(struct process *p, const struct image_state *image)
{
	p->image.image = image->image;
	p->image.cwd = image->cwd;
	memcpy(p->image.image_comm, image->image_comm, sizeof(p->image.image_comm));
}

static int set_comm(struct recorder *r, struct image_state *image,
		    const char comm[LINEAGE_COMM_LEN])
{
	image->comm = ROW_NONE;
	if (image->image != ROW_NONE && strncmp(comm, image->image_comm, LINEAGE_COMM_LEN) == 0)
		return 0;
	return intern_comm(&r->intern, comm, &image->comm);
}

void apply_detach_from_birth(struct process *p)
{
	if (p->image.provenance != PROVENANCE_NONE) {
		if (p->image.parent_id == ROW_SAME)
			p->image.parent_id = p->parent_id;
		if (p->image.context == ROW_SAME)
			p->image.context = p->context;
	}
	if (p->end != PROVENANCE_NONE && p->end_parent_id == ROW_SAME)
		p->end_parent_id = p->parent_id;
}

bool apply_begot_with(const struct recorder *r, const struct process *creator, uint32_t exec_id)
{
	const struct image_state *image = &creator->image;

	if (exec_id && image->exec_id)
		return exec_id == image->exec_id;
	return !exec_id || image->provenance != PROVENANCE_SNAPSHOT || !r->probe->control->filter;
}

static int set_birth(struct recorder *r, struct process *p, const struct lineage_fork *f,
		     enum provenance provenance, const struct image_state *image)
{
	int64_t parent_id, creator_id, context;
	const struct process *creator;
	int result = apply_process_id(r, &f->parent, &parent_id);

	creator_id = parent_id;
	if (result == 0 && memcmp(&f->creator, &f->parent, sizeof(f->parent)) != 0)
		result = apply_process_id(r, &f->creator, &creator_id);
	if (result == 0)
		result = intern_context(&r->intern, &f->ids, &context);
	if (result < 0)
		return result;
	apply_detach_from_birth(p);
	p->birth = provenance;
	p->birth_changed = p->stored;
	p->parent_id = parent_id;
	p->context = context;
	p->creator_id = creator_id == parent_id ? ROW_NONE : creator_id;
	p->fork_cpu = f->header.cpu;
	p->fork_seq = (int64_t)f->header.seq;
	p->ns_pid = own_or(f->ids.ns_pid, p->key.pid);
	if (p->image.provenance != PROVENANCE_NONE)
		return 0;
	p->image.pgid = process_group(&f->ids, p->key.pid);
	p->image.exec_id = f->exec_id;
	creator = image ? NULL : book_find(&r->book, &f->creator);
	if (image || (creator && apply_begot_with(r, creator, f->exec_id)))
		inherit_image(p, image ? image : &creator->image);
	if (!image && p->image.image == ROW_NONE)
		result = recover_doubt(r, p, creator);
	return result < 0 ? result : set_comm(r, &p->image, f->comm);
}

int apply_birth(struct recorder *r, struct process *p, const struct lineage_fork *f,
		enum provenance provenance, const struct image_state *image)
{
	book_change(&r->book, p);
	return set_birth(r, p, f, provenance, image);
}

int apply_inherited(struct recorder *r, struct process *p, const struct process *creator)
{
	char comm[LINEAGE_COMM_LEN];

	memcpy(comm, p->image.image_comm, sizeof(comm));
	/* Its name was the one that its image has, and stays that. */
	bool named = p->image.comm != ROW_NONE || p->image.image == ROW_NONE;

	inherit_image(p, &creator->image);
	book_change(&r->book, p);
	return named ? 0 : set_comm(r, &p->image, comm);
}

/* An event that has a row with another number: two generations of programs have told of it. */
static bool has_row(enum provenance provenance, int64_t cpu, int64_t seq,
		    const struct lineage_header *h)
{
	/* What was rebuilt early may come with its own number: that is better. */
	return provenance == PROVENANCE_OBSERVED ||
	       (provenance == PROVENANCE_RECOVERED &&
		(cpu != (int64_t)h->cpu || seq != (int64_t)h->seq));
}

/* What ended before memory was read back is not in the book. 0 and NULL if there is no row either.
 */
static int find_stored(struct recorder *r, const struct lineage_key *key,
		       struct process **ret_process)
{
	int result = 0;

	*ret_process = book_find(&r->book, key);
	if (*ret_process || key->start_boot_ns >= r->reload_boot_ns)
		return 0;
	result = store_read_process(&r->store, key, book_add_stored, &r->book);
	if (result <= 0)
		return result;
	*ret_process = book_find(&r->book, key);
	book_change(&r->book, *ret_process);
	return 0;
}

static int apply_fork(struct recorder *r, const void *bytes)
{
	const struct lineage_fork *f = bytes;
	struct process *p;
	int result = find_stored(r, &f->header.process, &p);

	r->counters.forks++;
	if (result == 0 && p && has_row(p->birth, p->fork_cpu, p->fork_seq, &f->header)) {
		ledger_unseen(&r->ledger, f->header.cpu, 1);
		return 0;
	}
	if (result == 0 && !p)
		result = new_process(r, &f->header.process, &p);
	return result < 0 ? result : apply_birth(r, p, f, PROVENANCE_OBSERVED, NULL);
}

/*
 * Whether the snapshot that p's image is from was taken after this exec. A database does not hold
 * exec_id, but knows when the last snapshot of all was taken, and whom it met first.
 */
static bool snapshot_has_seen(const struct recorder *r, const struct process *p,
			      const struct lineage_exec *e)
{
	if (p->image.provenance != PROVENANCE_SNAPSHOT)
		return false;
	if (p->image.exec_id)
		return e->exec_id <= p->image.exec_id;
	return p->process_id >= r->snapshot_first && e->header.boot_ns <= r->snapshot_boot_ns;
}

/* What ran before goes to its own row. A snapshot of the very same exec is only made exact. */
static int retire_image(struct recorder *r, struct process *p, const struct lineage_exec *e)
{
	if (p->image.provenance == PROVENANCE_NONE || snapshot_has_seen(r, p, e))
		return 0;
	return store_exec(&r->store, p, &p->image);
}

static int exec_image(struct recorder *r, const struct decode_exec *d, struct image_state *image)
{
	char path[DECODE_PATH_SIZE];
	struct intern_image ii = {
		.filename = d->filename,
		.interp = d->interp,
		.args = d->args,
		.args_count = d->exec->args_count,
		.args_total = d->exec->args_total,
		.flags = d->exec->flags,
		.dev = d->exec->dev,
		.inode = d->exec->inode,
	};
	int result;

	ii.exe.bytes = path;
	ii.exe.length = decode_path(d->exe, d->exec->flags & LINEAGE_EXE_TRUNCATED, path);
	memcpy(ii.comm, d->exec->comm, sizeof(ii.comm));
	result = intern_image(&r->intern, &ii, &image->image);
	if (result < 0)
		return result;
	ii.exe.length = decode_path(d->cwd, d->exec->flags & LINEAGE_CWD_TRUNCATED, path);
	memcpy(image->image_comm, d->exec->comm, sizeof(image->image_comm));
	return intern_text(&r->intern, path, ii.exe.length, &image->cwd);
}

/*
 * exec_id grows with each exec of a process, and where two generations of programs tell of several,
 * the older one's are all there before the other's come. An image that was read back has none: then
 * its time says which ring told of it before.
 */
static bool is_same_exec(const struct recorder *r, const struct process *p,
			 const struct lineage_exec *e)
{
	if (!has_row(p->image.provenance, p->image.cpu, p->image.seq, &e->header))
		return false;
	if (!p->image.exec_id)
		return e->header.boot_ns < r->probe->control->alone_boot_ns;
	return e->exec_id <= p->image.exec_id;
}

static int apply_exec(struct recorder *r, const void *bytes)
{
	struct decode_exec d;
	struct image_state image = {.provenance = PROVENANCE_OBSERVED, .comm = ROW_NONE};
	struct process *p;
	int result;

	decode_exec(bytes, &d);
	r->counters.execs++;
	result = apply_process(r, &d.exec->header.process, &p);
	if (result > 0 || (result == 0 && is_same_exec(r, p, d.exec))) {
		ledger_unseen(&r->ledger, d.exec->header.cpu, 1);
		return 0;
	}
	if (result == 0)
		result = retire_image(r, p, d.exec);
	if (result == 0)
		result = exec_image(r, &d, &image);
	if (result == 0)
		result = intern_context(&r->intern, &d.exec->ids, &image.context);
	if (result == 0)
		result = apply_process_id(r, &d.exec->parent, &image.parent_id);
	if (result < 0)
		return result;
	/* Nothing is known of its birth: the parent that it has now is the best guess, and told as
	 * one. */
	if (p->birth == PROVENANCE_INFERRED && p->parent_id == ROW_NONE) {
		p->parent_id = image.parent_id;
		p->context = image.context;
		p->ns_pid = own_or(d.exec->ids.ns_pid, p->key.pid);
		p->birth_changed = p->stored;
	}
	same_or(&image.parent_id, p->parent_id);
	same_or(&image.context, p->context);
	image.cpu = d.exec->header.cpu;
	image.seq = (int64_t)d.exec->header.seq;
	image.after_ns = (int64_t)(d.exec->header.boot_ns - p->key.start_boot_ns);
	image.pgid = process_group(&d.exec->ids, p->key.pid);
	image.exec_id = d.exec->exec_id;
	p->image = image;
	book_change(&r->book, p);
	return 0;
}

static int failure_image(struct recorder *r, const struct decode_failure *d, int64_t *ret_id)
{
	const struct lineage_exec_failure *f = d->failure;
	char filename[DECODE_FILENAME_SIZE];
	struct intern_image ii = {
		.args = d->args,
		.args_count = d->args.bytes ? (int64_t)f->args_count : ROW_NONE,
		.args_total = f->args_total,
		.flags = f->flags,
	};

	if (d->filename.bytes)
		ii.filename =
			(struct decode_string){filename, decode_failure_filename(d, filename)};
	/* How much more there is, nobody has counted. */
	if (f->flags & LINEAGE_ARGS_UNCOUNTED)
		ii.args_total++;
	memcpy(ii.comm, f->comm, sizeof(ii.comm));
	return intern_image(&r->intern, &ii, ret_id);
}

/* Whether this generation of programs is the one that tells of a failed exec. 1, 0 or an error. */
static int is_told_here(struct recorder *r, const struct lineage_header *h)
{
	uint64_t next = r->options.switchover_ns, own = r->probe->control->alone_boot_ns;
	bool told = !own || switchover_new(&r->switchover, own, &h->process, h->boot_ns);

	return told && next ? switchover_old(&r->switchover, next, &h->process, h->boot_ns) : told;
}

static int apply_failure(struct recorder *r, const void *bytes)
{
	struct decode_failure d;
	struct store_failure row;
	int result;

	decode_failure(bytes, &d);
	r->counters.exec_failures++;
	result = is_told_here(r, &d.failure->header);
	if (result <= 0) {
		if (result == 0)
			ledger_unseen(&r->ledger, d.failure->header.cpu, 1);
		return result;
	}
	row = (struct store_failure){
		.boot_ns = d.failure->header.boot_ns,
		.cpu = d.failure->header.cpu,
		.seq = (int64_t)d.failure->header.seq,
		.error = d.failure->error,
	};
	result = apply_process_id(r, &d.failure->header.process, &row.process_id);
	if (result == 0)
		result = failure_image(r, &d, &row.image);
	return result < 0 ? result : store_failure(&r->store, &row);
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

/*
 * The kernel counts user and system time in ticks and scheduled time exactly; getrusage() splits
 * the exact sum in the proportion of the ticks, and so does this.
 */
static void set_usage(struct process *p, const struct lineage_exit *e)
{
	uint64_t of_system = at_most(e->system_ns, INT64_MAX / 2);
	uint64_t ticks = at_most(e->user_ns, INT64_MAX / 2) + of_system;
	uint64_t runtime = at_most(e->runtime_ns, INT64_MAX);
	uint64_t total = runtime > ticks ? runtime : ticks;
	uint64_t system = ticks ? (uint64_t)((unsigned __int128)total * of_system / ticks) : 0;

	p->system_us = (int64_t)(system / 1000);
	p->user_us = (int64_t)((total - system) / 1000);
	p->max_rss_kib = (int64_t)e->max_rss_kib;
}

int apply_end(struct recorder *r, struct process *p, const struct lineage_exit *e,
	      enum provenance provenance)
{
	int64_t parent_id;
	int result = apply_process_id(r, &e->parent, &parent_id);

	if (result < 0)
		return result;
	if (p->birth == PROVENANCE_INFERRED && p->parent_id == ROW_NONE) {
		p->parent_id = parent_id;
		p->birth_changed = p->stored;
	}
	p->end = provenance;
	p->end_after_ns = (int64_t)(e->header.boot_ns - p->key.start_boot_ns);
	p->end_cpu = e->header.cpu;
	p->end_seq = (int64_t)e->header.seq;
	p->end_parent_id = parent_id;
	same_or(&p->end_parent_id, p->parent_id);
	p->status = e->status;
	set_usage(p, e);
	book_change(&r->book, p);
	return set_comm(r, &p->image, e->comm);
}

static int apply_exit(struct recorder *r, const void *bytes)
{
	const struct lineage_exit *e = bytes;
	struct process *p;
	/* One that was taken for ended may have left the book. */
	int result = recover_process(r, &e->header.process, &p);

	r->counters.exits++;
	/* Of two generations of programs, the cache of the later one is the one there is. */
	if (result == 0)
		p->freed = e->flags & LINEAGE_EXIT_FREED;
	if (result == 0 && has_row(p->end, p->end_cpu, p->end_seq, &e->header)) {
		ledger_unseen(&r->ledger, e->header.cpu, 1);
		return 0;
	}
	return result < 0 ? result : apply_end(r, p, e, PROVENANCE_OBSERVED);
}

static int apply_cgroup(struct recorder *r, const void *bytes)
{
	r->counters.cgroups++;
	return intern_cgroup(&r->intern, bytes);
}

static int (*const appliers[LINEAGE_KINDS])(struct recorder *, const void *) = {
	[LINEAGE_FORK] = apply_fork,
	[LINEAGE_EXEC] = apply_exec,
	[LINEAGE_EXIT] = apply_exit,
	[LINEAGE_CGROUP] = apply_cgroup,
	[LINEAGE_EXEC_FAILURE] = apply_failure,
};

int apply_record(struct recorder *r, int kind, const void *bytes)
{
	const struct lineage_header *h = bytes;

	if (kind != LINEAGE_CGROUP &&
	    ledger_arrived(&r->ledger, h->cpu, h->seq, h->boot_ns) == LEDGER_DUPLICATE)
		return 0;
	return appliers[kind](r, bytes);
}
