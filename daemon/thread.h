/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a thread beside the main one, to which signals belong. */
#ifndef LINEAGED_THREAD_H
#define LINEAGED_THREAD_H

#include <pthread.h>

/* 0 or a negative errno. The thread takes no signal. */
int thread_start(pthread_t *ret_thread, void *(*main)(void *), void *argument);

#endif
