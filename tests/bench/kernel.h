/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the recorder, without a kernel: the ring yields the records of a shape, the
 * clock tells the shape's time, and process_cache is empty. Put under the daemon's own objects by
 * the linker (--wrap), so that everything above is the daemon as it is.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include "shape.h"

/* The shape whose records come next. */
void kernel_begin(struct shape *shape);

/* Records from this time on have not happened yet. */
void kernel_happened(uint64_t until_ns);

/* Longest time that records stayed in the ring, by the wall clock. */
uint64_t kernel_longest_hold_ns(void);

#endif
