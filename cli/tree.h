/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes made into a forest. Pure: no database, no output.
 *
 * Whatever it is given, the result is a forest: a process whose parent is not among them is a root,
 * and a loop of parents (damaged data) is cut at the process that started last, which becomes a
 * root.
 */
#ifndef LINEAGED_CLI_TREE_H
#define LINEAGED_CLI_TREE_H

#include "cli/query.h"

struct node {
	struct process *process;
	struct node *parent, *first_child, *last_child, *next; /* next sibling */
	unsigned int depth;
	unsigned int same;   /* siblings like this one that it stands for, itself included */
	unsigned int inside; /* processes below it, not counting itself; folded ones count */
	bool folded;	     /* another sibling stands for it */
	const struct node *last_same; /* of those it stands for, the one that started last */
	uint64_t shape;
};

struct forest {
	struct node *nodes; /* in the order given */
	size_t count;
	struct node *first_root, *last_root;
};

/* By which parent a child is put: who spawned it, or whom ps would have shown. */
typedef int64_t (*tree_parent_fn)(const struct process *p, void *userdata);

/* parent NULL: the real parent at birth. Siblings keep the order of the list: sort it first. */
int forest_build(struct process_list *list, tree_parent_fn parent, void *userdata,
		 struct forest *ret_forest);
void forest_deinit(struct forest *forest);

/* Siblings that look the same, with the same below them, become one with a count. */
int forest_fold(struct forest *forest);

/* Pre-order; NULL starts, NULL ends. Folded siblings are left out. */
struct node *forest_next(const struct forest *forest, const struct node *node);

#endif
