/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/thread.h"
#include "schema/cleanup.h"

/* Beside its name first, so that nobody reads half of it. */
static int replace_file(const char *path, const struct status *status,
			int (*print)(FILE *, const struct status *))
{
	CLEANUP_FREE char *temporary = NULL;
	FILE *out;
	int fd, r;

	if (asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		return -ENOMEM;
	}
	fchmod(fd, 0644);
	r = print(out, status);
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int status_file_replace(const struct config *config, const struct status *status)
{
	int json = 0, metrics = 0;

	if (*config->status_file)
		json = replace_file(config->status_file, status, status_print_json);
	if (*config->metrics_file)
		metrics = replace_file(config->metrics_file, status, status_print_metrics);
	return json < 0 ? json : metrics;
}

void status_file_remove(const struct config *config)
{
	if (*config->status_file)
		unlink(config->status_file);
	if (*config->metrics_file)
		unlink(config->metrics_file);
}

static void *thread_main(void *argument)
{
	struct status_writer *w = argument;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct status status;
		char refused[sizeof(w->refused)];
		int r;

		if (!w->waiting) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		status = w->next;
		memcpy(refused, w->refused, sizeof(refused));
		status.refused = status.refused ? refused : NULL;
		w->waiting = false;
		pthread_mutex_unlock(&w->lock);
		r = status_file_replace(w->config, &status);
		pthread_mutex_lock(&w->lock);
		w->error = r;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int status_writer_start(struct status_writer *w, const struct config *config)
{
	int r;

	*w = (struct status_writer){.config = config};
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	r = thread_start(&w->thread, thread_main, w);
	w->running = r == 0;
	return r;
}

void status_writer_stop(struct status_writer *w)
{
	if (!w->running)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	w->running = false;
}

int status_writer_put(struct status_writer *w, const struct status *status)
{
	int error;

	pthread_mutex_lock(&w->lock);
	w->next = *status;
	snprintf(w->refused, sizeof(w->refused), "%s", status->refused ? status->refused : "");
	w->waiting = true;
	error = w->error;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return error;
}
