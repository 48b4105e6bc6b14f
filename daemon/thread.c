/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret_thread, void *(*main)(void *), void *argument)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(ret_thread, NULL, main, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}
