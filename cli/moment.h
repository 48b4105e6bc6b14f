/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes as they stood at a time, and under whom. Pure but for looking up parents and images.
 *
 * A time of the wall clock may be several moments of a boot, where the clock was stepped back, or
 * none. What is compared is boot time.
 *
 * The kernel gives a child to a reaper when its parent ends; what is recorded of that is the real
 * parent at each exec and at the end. Until another is known to have it, it is the parent that it
 * was last known to have, and when that one has ended, the nearest above it that was alive: of who
 * has ended, the parent at its end is looked for next. Nobody leaves a PID namespace that way, so
 * where that would, it is the init of the namespace; where that is not known, nobody.
 */
#ifndef LINEAGED_CLI_MOMENT_H
#define LINEAGED_CLI_MOMENT_H

#include "cli/query.h"

/* A chain of parents in damaged data may be a ring. */
#define ANCESTORS_MAX 100000

/* Who began a PID namespace, at a moment of its boot. */
struct moment_init {
	const struct boot *boot;
	int64_t boot_ns, pid_ns;
	const struct process *process;
};

/* UNKNOWN: the last that is known, instead of a time. */
struct moment {
	int64_t unix_ns;
	struct process_list alive; /* then; empty: not looked for */
	struct moment_init *inits; /* of their PID namespaces: moment_find_inits() */
	size_t inits_count, inits_size;
};

void moment_deinit(struct moment *moment);
/* Finds them in moment->alive, once for all orphans. */
int moment_find_inits(struct moment *moment);

/*
 * The last moment of the life of p at which its wall clock showed that time. Who has no end lived
 * until the next boot of the same database at most. `to_the_end`: the moment of its end counts.
 */
bool moment_of_life(const struct moment *moment, const struct process *p, bool to_the_end,
		    int64_t *ret_boot_ns);
bool moment_alive(const struct moment *moment, const struct process *p);
/*
 * For forest_build(): the parent that ps would have shown; userdata is the struct moment. 0: none,
 * or it is not recorded who that was.
 */
int64_t moment_reaper(const struct process *p, void *userdata);
/* It had a parent then, and it is not recorded who that was. */
bool moment_is_orphan(const struct moment *moment, const struct process *p);
/*
 * The image that p had at a moment of its boot, with name and credentials: of an exec, or what it
 * was born with. provenance PROVENANCE_NONE: it had not called exec yet. Loads earlier images.
 */
int moment_image(struct process *p, int64_t boot_ns, struct exec *ret_image);
/* Shows p with that image; its execs stay. */
void moment_put_image(struct process *p, const struct exec *image);
/* Puts the images that they had then in the place of their latest, and forgets later ones. */
int moment_set_images(const struct moment *moment, struct process_list *list);

#endif
