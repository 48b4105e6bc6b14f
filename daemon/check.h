/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lineaged --check: what this kernel, these permissions and this configuration allow, one line
 * each:
 *
 *     ok|warning|missing  what  -  what to do
 *
 * "missing" means that lineaged could not record here; "warning", that something would be left out.
 * Nothing is changed or left behind.
 */
#ifndef LINEAGED_CHECK_H
#define LINEAGED_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/config.h"

/* Where to look. check_node() is this node; tests put files of their own. */
struct check_node {
	const char *kernel_release; /* as uname -r */
	const char *btf;	    /* file */
	const char *lockdown;	    /* file */
	const char *proc_self;	    /* directory: status, mountinfo, cgroup, loginuid, ns/ */
	const char *proc_sys;	    /* directory */
	uint64_t memlock_bytes;	    /* soft limit; UINT64_MAX: none */
};

/* release has to stay as long as the node. */
void check_this_node(struct check_node *ret_node, char release[65]);

/*
 * Loads the BPF programs for a trial. 0, or a negative errno; in both cases `explanation` may say
 * more in one sentence (what is not available, what to do).
 */
typedef int (*check_try_load_fn)(void *userdata, char *explanation, size_t size);

/* Prints the lines. 0: could record; 1: could not. try_load may be NULL: then it is not tried. */
int check_run(FILE *out, const struct check_node *node, const struct config *config,
	      check_try_load_fn try_load, void *userdata);

#endif
