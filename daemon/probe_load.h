/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between probe.c and probe_load.c: an object of BPF programs, loaded and not attached.
 */
#ifndef LINEAGED_PROBE_LOAD_H
#define LINEAGED_PROBE_LOAD_H

#include "daemon/probe_facts.h"
#include "lineage_v2.skel.h"
#include "lineage_v3.skel.h"
#include "lineage_v3_preempted.skel.h"
#include "lineage_v3_probe.skel.h"

/* One of the skeletons, opened and told the facts. */
struct probe_opened {
	struct bpf_object *object;
	struct lineage_v2 *v2;
	struct lineage_v3_probe *v3_probe;
	struct lineage_v3 *v3;
	struct lineage_v3_preempted *v3_preempted;
	enum probe_failures failures; /* how they are found here */
};

/* libbpf's own words: the last line that matters is kept for the explanation. */
extern char probe_said[256];

void probe_explain(struct probe_problem *problem, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int probe_load(struct probe_opened *o, const struct probe_options *options,
	       struct probe_problem *problem);
void probe_unload(struct probe_opened *o);

/* Of all objects; and lets go of their pages, which only loading reads again. */
uint64_t probe_objects_hash(uint64_t seed);

#endif
