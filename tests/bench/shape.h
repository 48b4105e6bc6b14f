/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A synthetic node: ring records in the order of time, the same ones for the same seed.
 *
 * Some 200 services and shells start short-lived processes; lives are spread over six orders of
 * magnitude, so that most begin and end within one commit and some do not. Argument lists, paths
 * and sessions repeat as they do on real nodes; struct shape_options says how much. In the middle
 * of the recording two trees of known size are planted among everything else, for queries.
 *
 * Not here: what becomes of the records (replay.c).
 */
#ifndef BENCH_SHAPE_H
#define BENCH_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/lineage_abi.h"

struct shape_options {
	uint64_t events;      /* to make; every process that was begun is also ended */
	uint64_t rate;	      /* events per second of the node's time */
	uint64_t begin_ns;    /* CLOCK_BOOTTIME of the first one */
	double unique_args;   /* part of the argument lists that occur once */
	unsigned args_bytes;  /* mean */
	unsigned plant[2];    /* processes in the planted trees */
	uint64_t window_ends; /* events in the window whose times are kept */
	int storm;	      /* two processes fork children that end at once; no exec */
};

struct shape;

struct shape *shape_new(const struct shape_options *options);
void shape_free(struct shape *shape);

/* The next record, valid until the next call; NULL at the end. */
const void *shape_next(struct shape *shape, size_t *ret_length);

/* The time that the last record told, and that the next one will tell (0 at the end). */
uint64_t shape_now_ns(const struct shape *shape);
uint64_t shape_ahead_ns(const struct shape *shape);

uint64_t shape_events(const struct shape *shape);
/* Root of a planted tree; pid 0 if it was not planted. */
struct lineage_key shape_planted(const struct shape *shape, int which);
void shape_window(const struct shape *shape, uint64_t *ret_from_ns, uint64_t *ret_to_ns);

#endif
