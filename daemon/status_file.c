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

static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1;
}

/* NULL: no memory. */
static char *name_beside(const char *path)
{
	char *name;

	return asprintf(&name, "%s.new", path) < 0 ? NULL : name;
}

/* Beside its name, what was there before last, to be written over; or a new one. */
static int open_beside(const char *path)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && is_ours(&st))
		return fd;
	if (fd >= 0)
		close(fd);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

/* *ret_text is the caller's, also after an error. */
static int print_text(const struct status *status, int (*print)(FILE *, const struct status *),
		      char **ret_text, size_t *ret_size)
{
	FILE *out = open_memstream(ret_text, ret_size);
	int r;

	if (!out)
		return -ENOMEM;
	r = print(out, status);
	if (ferror(out) && r == 0)
		r = -ENOMEM;
	return fclose(out) != 0 && r == 0 ? -ENOMEM : r;
}

/* At once, over what is there, however long that was. */
static int write_over(int fd, const char *text, size_t size)
{
	ssize_t n = write(fd, text, size);
	struct stat st;

	if (n >= 0 && (size_t)n < size)
		return -ENOSPC;
	if (n < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_size > (off_t)size && ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

/*
 * The two change names, where a rename would free the blocks of one: on some file systems that
 * makes the disk write at once, and discard what it wrote the time before.
 */
static int exchange(const char *one, const char *other)
{
	struct stat st;

	if (lstat(other, &st) == 0 && is_ours(&st) &&
	    renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0)
		return 0;
	return rename(one, other) < 0 ? -errno : 0;
}

/* Beside its name first, so that nobody who opens it reads half of it. */
static int replace_file(const char *path, const struct status *status,
			int (*print)(FILE *, const struct status *))
{
	CLEANUP_FREE char *beside = name_beside(path);
	CLEANUP_FREE char *text = NULL;
	CLEANUP_CLOSE int fd = -1;
	size_t size = 0;
	int r = print_text(status, print, &text, &size);

	if (r < 0)
		return r;
	if (!beside)
		return -ENOMEM;
	fd = open_beside(beside);
	if (fd < 0)
		return fd;
	fchmod(fd, 0644);
	r = write_over(fd, text, size);
	if (r == 0)
		r = exchange(beside, path);
	if (r < 0)
		unlink(beside);
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

static void remove_file(const char *path)
{
	CLEANUP_FREE char *beside = name_beside(path);

	if (!*path)
		return;
	unlink(path);
	if (beside)
		unlink(beside);
}

void status_file_remove(const struct config *config)
{
	remove_file(config->status_file);
	remove_file(config->metrics_file);
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
