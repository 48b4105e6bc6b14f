/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to print here: what the terminal can show, what the environment asks for, and the pager.
 * The environment is read here and nowhere else. No locale is loaded: it would cost more than a
 * tree.
 */
#ifndef LINEAGED_CLI_STYLE_H
#define LINEAGED_CLI_STYLE_H

#include "cli/flags.h"
#include "cli/render.h"

/* By LC_ALL, LC_CTYPE or LANG. */
bool style_is_utf8(void);
void style_init(struct style *style, const struct flags *flags, int fd);

/* Sends stdout through a pager where that serves a reader. *ret_pid is 0 without one. */
int style_start_pager(struct style *style, const struct flags *flags, int *ret_pid);
/* Closes stdout and waits until the reader has left the pager. */
void style_wait_pager(int pid);

#endif
