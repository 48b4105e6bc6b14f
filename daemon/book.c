/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/book.h"

#include <stdlib.h>

void book_init(struct book *book)
{
	*book = (struct book){0};
	book->changed_tail = &book->changed;
	book->ended_tail = &book->ended;
}

void book_forget(struct book *book)
{
	struct process *p, *next;

	HASH_ITER(hh, book->table, p, next)
	{
		HASH_DEL(book->table, p);
		free(p);
	}
	book_init(book);
}

/* The padding is not part of it, whatever a damaged record has there. */
static struct lineage_key identity(const struct lineage_key *key)
{
	return (struct lineage_key){.pid = key->pid, .start_boot_ns = key->start_boot_ns};
}

struct process *book_find(struct book *book, const struct lineage_key *key)
{
	struct lineage_key id = identity(key);
	struct process *p;

	HASH_FIND(hh, book->table, &id, sizeof(id), p);
	return p;
}

struct process *book_add(struct book *book, const struct lineage_key *key, int64_t process_id)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->key = identity(key);
	p->process_id = process_id;
	p->birth = PROVENANCE_INFERRED;
	p->parent_id = p->creator_id = p->fork_cpu = p->fork_seq = p->context = ROW_NONE;
	p->image = (struct image_state){
		.provenance = PROVENANCE_NONE,
		.after_ns = ROW_NONE,
		.cpu = ROW_NONE,
		.seq = ROW_NONE,
		.image = ROW_NONE,
		.cwd = ROW_NONE,
		.comm = ROW_NONE,
		.pgid = ROW_NONE,
	};
	p->end = PROVENANCE_NONE;
	p->end_after_ns = p->end_cpu = p->end_seq = p->end_parent_id = p->status = ROW_NONE;
	p->user_us = p->system_us = p->max_rss_kib = ROW_NONE;
	HASH_ADD(hh, book->table, key, sizeof(p->key), p);
	if (!p->hh.tbl) {
		free(p);
		return NULL;
	}
	book->living_count++;
	return p;
}

struct process *book_add_stored(const struct lineage_key *key, int64_t process_id, void *book)
{
	return book_add(book, key, process_id);
}

void book_change(struct book *book, struct process *p)
{
	if (p->changed)
		return;
	p->changed = true;
	p->next = NULL;
	*book->changed_tail = p;
	book->changed_tail = &p->next;
}

/* A process that changes after its end (a late record) is on the list of ended ones already. */
void book_committed(struct book *book, uint64_t now_boot_ns)
{
	struct process *p = book->changed;

	book->changed = NULL;
	book->changed_tail = &book->changed;
	while (p) {
		struct process *next = p->next;

		p->stored = true;
		p->changed = p->birth_changed = false;
		p->next = NULL;
		if (p->end != PROVENANCE_NONE && !p->ended_boot_ns) {
			p->ended_boot_ns = now_boot_ns;
			p->next_ended = NULL;
			*book->ended_tail = p;
			book->ended_tail = &p->next_ended;
			book->living_count--;
			book->ended_count++;
		}
		p = next;
	}
}

struct process *book_take_ended(struct book *book, uint64_t boot_ns, size_t most)
{
	struct process *p = book->ended;

	if (!p || p->changed || (p->ended_boot_ns >= boot_ns && book->ended_count <= most))
		return NULL;
	book->ended = p->next_ended;
	if (!book->ended)
		book->ended_tail = &book->ended;
	book->ended_count--;
	HASH_DEL(book->table, p);
	return p;
}

void book_free_process(struct process *p)
{
	free(p);
}
