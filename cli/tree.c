/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tree.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/arena.h"
#include "schema/cleanup.h"

static int64_t birth_parent(const struct process *p, void *userdata)
{
	return p->parent_id;
}

/* Ids are unique within a database only; a few databases make a few maps. */
struct db_map {
	const struct query *db;
	struct idmap map;
};

struct index {
	struct db_map *dbs;
	size_t count;
};

static struct idmap *map_of(struct index *index, const struct query *db)
{
	struct db_map *more;

	for (size_t i = 0; i < index->count; i++) {
		if (index->dbs[i].db == db)
			return &index->dbs[i].map;
	}
	more = reallocarray(index->dbs, index->count + 1, sizeof(*more));
	if (!more)
		return NULL;
	index->dbs = more;
	more[index->count] = (struct db_map){.db = db};
	return &more[index->count++].map;
}

static void index_deinit(struct index *index)
{
	for (size_t i = 0; i < index->count; i++)
		idmap_deinit(&index->dbs[i].map);
	free(index->dbs);
}

/*
 * Each node has one parent, so every loop is a ring of nodes that all lead back to themselves. A
 * walk up marks its own nodes; meeting its own mark again is a ring, meeting an older one is known
 * ground.
 */
static void cut_loops(struct node *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned int mark = (unsigned int)i + 1;
		struct node *n = &nodes[i];

		while (n && n->same == 0) {
			n->same = mark;
			n = n->parent;
		}
		if (n && n->same == mark) {
			struct node *last = n;

			for (struct node *m = n->parent; m != n; m = m->parent) {
				if (m > last)
					last = m;
			}
			last->parent = NULL;
		}
	}
	for (size_t i = 0; i < count; i++)
		nodes[i].same = 1;
}

static void append(struct node **first, struct node **last, struct node *node)
{
	if (*last)
		(*last)->next = node;
	else
		*first = node;
	*last = node;
}

static void link_nodes(struct forest *forest)
{
	for (size_t i = 0; i < forest->count; i++) {
		struct node *n = &forest->nodes[i];

		if (n->parent)
			append(&n->parent->first_child, &n->parent->last_child, n);
		else
			append(&forest->first_root, &forest->last_root, n);
	}
	for (struct node *n = forest_next(forest, NULL); n; n = forest_next(forest, n))
		n->depth = n->parent ? n->parent->depth + 1 : 0;
}

int forest_build(struct process_list *list, tree_parent_fn parent, void *userdata,
		 struct forest *ret_forest)
{
	struct forest forest = {.count = list->count};
	struct index index = {0};
	int r = 0;

	forest.nodes = calloc(list->count ? list->count : 1, sizeof(*forest.nodes));
	if (!forest.nodes)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		struct idmap *map = map_of(&index, list->item[i]->db);

		forest.nodes[i].process = list->item[i];
		r = map ? idmap_put(map, list->item[i]->id, &forest.nodes[i]) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		const struct process *p = list->item[i];
		int64_t id = (parent ? parent : birth_parent)(p, userdata);

		if (id)
			forest.nodes[i].parent = idmap_get(map_of(&index, p->db), id);
	}
	index_deinit(&index);
	if (r < 0) {
		free(forest.nodes);
		return r;
	}
	cut_loops(forest.nodes, forest.count);
	link_nodes(&forest);
	*ret_forest = forest;
	return 0;
}

void forest_deinit(struct forest *forest)
{
	free(forest->nodes);
	*forest = (struct forest){0};
}

static struct node *skip_folded(struct node *n)
{
	while (n && n->folded)
		n = n->next;
	return n;
}

struct node *forest_next(const struct forest *forest, const struct node *node)
{
	struct node *n;

	if (!node)
		return skip_folded(forest->first_root);
	n = skip_folded(node->first_child);
	while (!n && node) {
		n = skip_folded(node->next);
		node = node->parent;
	}
	return n;
}

static uint64_t mix(uint64_t shape, uint64_t value)
{
	shape ^= value + 0x9e3779b97f4a7c15ULL + (shape << 6) + (shape >> 2);
	shape *= 0xff51afd7ed558ccdULL;
	return shape ^ shape >> 32;
}

/* What a reader sees of a process beside its pid and its times. */
static uint64_t look(const struct process *p)
{
	uint64_t shape = mix(1, p->selected);

	/* It is here for what is below it; formats that leave it out still name it. */
	if (p->told)
		shape = mix(shape, (uint64_t)p->id);
	shape = mix(shape, (uint64_t)(uintptr_t)p->boot);
	shape = mix(shape, (uint64_t)(uintptr_t)p->image);
	shape = mix(shape, (uint64_t)(uintptr_t)p->comm);
	shape = mix(shape, (uint64_t)(uintptr_t)p->context);
	shape = mix(shape, (uint64_t)p->status);
	shape = mix(shape, process_ended(p));
	shape = mix(shape, (uint64_t)p->pruned_children);
	for (int kind = 0; kind < PRUNED_KINDS; kind++)
		shape = mix(shape, (uint64_t)p->pruned[kind].count);
	shape = mix(shape, (uint64_t)PROVENANCE_PACK(p->birth, p->image_provenance, p->end));
	shape = mix(shape, p->failed_shape);
	for (size_t i = 0; i < p->exec_count; i++) {
		shape = mix(shape, (uint64_t)(uintptr_t)p->execs[i].image);
		shape = mix(shape, (uint64_t)(uintptr_t)p->execs[i].context);
	}
	return mix(shape, (uint64_t)(uintptr_t)p->birth_context);
}

/* Children come before their parent in reverse pre-order. */
static int compute_shapes(struct forest *forest)
{
	CLEANUP_FREE struct node **order = calloc(forest->count + 1, sizeof(*order));
	size_t n = 0;

	if (!order)
		return -ENOMEM;
	for (struct node *node = forest_next(forest, NULL); node; node = forest_next(forest, node))
		order[n++] = node;
	while (n-- > 0) {
		struct node *node = order[n];

		node->shape = look(node->process);
		node->inside = 0;
		for (struct node *c = node->first_child; c; c = c->next) {
			node->shape = mix(node->shape, c->shape);
			node->inside += 1 + c->inside;
		}
	}
	return 0;
}

static int fold_siblings(struct node *first)
{
	struct idmap seen = {0};
	int r = 0;

	for (struct node *n = first; r == 0 && n; n = n->next) {
		struct node *same = idmap_get(&seen, (int64_t)n->shape);

		n->same = 1;
		n->last_same = n;
		if (!same) {
			r = idmap_put(&seen, (int64_t)n->shape, n);
			continue;
		}
		n->folded = true;
		same->same++;
		same->last_same = n;
	}
	idmap_deinit(&seen);
	return r;
}

int forest_fold(struct forest *forest)
{
	int r = compute_shapes(forest);

	if (r == 0)
		r = fold_siblings(forest->first_root);
	for (size_t i = 0; r == 0 && i < forest->count; i++) {
		if (forest->nodes[i].first_child && forest->nodes[i].first_child->next)
			r = fold_siblings(forest->nodes[i].first_child);
	}
	return r;
}
