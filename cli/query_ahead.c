/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ahead of a question about many processes where the disk is waited for. Their rows lie
 * side by side, but their images anywhere in the dictionary: a page from the disk for each, one
 * after another, while a disk could bring hundreds at once. So the kernel is told which pages will
 * be asked for. In which a row lies, the interior pages of its table say
 * (https://sqlite.org/fileformat2.html, "B-tree Pages"); they are read as the file has them,
 * without its log. What has changed since makes a hint useless, and no answer another one: nothing
 * that goes wrong here is an error.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/query_internal.h"
#include "schema/cleanup.h"

/*
 * Blocks of 512 bytes. What the kernel reads ahead of one wait counts: 256 by its default, so that
 * one or two that just were not there are no sign of a cold file. A page alone is 8.
 */
#define BLOCKS_MIN 1024
/* More pages than so many ids can be in, and deeper than SQLite makes tables. */
#define PAGES_MAX  65536
#define LEVELS_MAX 20

#define INTERIOR	5 /* the kind of such a page of a table; in its first byte */
#define INTERIOR_HEADER 12
#define FILE_HEADER	100

struct query_pages {
	int fd; /* closed after SQLite's: closing any would drop the locks of all */
	uint32_t size, count;
	uint32_t process_root, image_root;
	int left;	/* of PAGES_MAX */
	off_t from, to; /* hinted at next: pages that follow one another go together */
	uint8_t *page[LEVELS_MAX];
};

int64_t query_blocks_read(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) < 0 ? 0 : usage.ru_inblock;
}

bool query_is_cold(const struct query *q)
{
	return query_blocks_read() - q->blocks_read >= BLOCKS_MIN;
}

static uint32_t number(const uint8_t *at, int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

/* A varint, of at most nine bytes; what is after the end of the page is 0. */
static int64_t key_at(const uint8_t *at, const uint8_t *end)
{
	uint64_t value = 0;

	for (int i = 0; i < 9 && at < end; i++, at++) {
		if (i == 8)
			return (int64_t)(value << 8 | *at);
		value = value << 7 | (*at & 0x7f);
		if (!(*at & 0x80))
			break;
	}
	return (int64_t)value;
}

static const uint8_t *read_page(struct query_pages *p, uint32_t page, int level)
{
	if (page < 2 || page > p->count || level >= LEVELS_MAX || p->left-- <= 0)
		return NULL;
	if (!p->page[level])
		p->page[level] = malloc(p->size);
	if (!p->page[level] ||
	    pread(p->fd, p->page[level], p->size, (off_t)(page - 1) * p->size) != (ssize_t)p->size)
		return NULL;
	return p->page[level];
}

static void hint_at(struct query_pages *p, uint32_t page)
{
	off_t from = (off_t)(page - 1) * p->size;

	if (page < 2 || page > p->count || p->left-- <= 0)
		return;
	if (from != p->to) {
		if (p->from < p->to)
			posix_fadvise(p->fd, p->from, p->to - p->from, POSIX_FADV_WILLNEED);
		p->from = from;
	}
	p->to = from + p->size;
}

/* Children of an interior page: those with ids up to the key of each cell, and all behind. */
static uint32_t child_of(const struct query_pages *p, const uint8_t *page, uint32_t cells,
			 uint32_t i, int64_t *ret_key)
{
	uint32_t cell;

	*ret_key = INT64_MAX;
	if (i == cells)
		return number(page + 8, 4);
	cell = number(page + INTERIOR_HEADER + 2 * i, 2);
	if (cell + 5 > p->size)
		return 0;
	*ret_key = key_at(page + cell + 4, page + p->size);
	return number(page + cell, 4);
}

/*
 * Hints at the leaves in which runs of ids, in their order, lie. Leaves are all at one level:
 * `leaves`, where it is known, else -1 and found on the way to the first, which is read for that.
 */
static void hint_runs(struct query_pages *p, uint32_t root, int level, int *leaves,
		      const struct id_run *runs, size_t count)
{
	const uint8_t *page = read_page(p, root, level);
	uint32_t cells = page ? number(page + 3, 2) : 0;
	size_t k = 0;

	if (!page || page[0] != INTERIOR || INTERIOR_HEADER + 2 * cells > p->size) {
		if (page && *leaves < 0)
			*leaves = level;
		return;
	}
	for (uint32_t i = 0; i <= cells && k < count; i++) {
		size_t first = k;
		int64_t key;
		uint32_t child = child_of(p, page, cells, i, &key);
		bool goes_on;

		while (k < count && runs[k].end - 1 <= key)
			k++;
		goes_on = k < count && runs[k].first <= key;
		if (k == first && !goes_on)
			continue;
		if (*leaves == level + 1)
			hint_at(p, child);
		else
			hint_runs(p, child, level + 1, leaves, runs + first, k - first + goes_on);
	}
}

static void hint(struct query_pages *p, uint32_t root, const struct id_run *runs, size_t count)
{
	int leaves = -1;

	if (!count)
		return;
	p->left = PAGES_MAX;
	p->from = p->to = 0;
	hint_runs(p, root, 0, &leaves, runs, count);
	if (p->from < p->to)
		posix_fadvise(p->fd, p->from, p->to - p->from, POSIX_FADV_WILLNEED);
}

static uint32_t root_of(struct query *q, const char *table)
{
	uint32_t root = 0;
	sqlite3_stmt *stmt;

	if (query_prepare(q, QUERY_ROOT, &stmt) < 0)
		return 0;
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		root = (uint32_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return root;
}

static struct query_pages *open_pages(struct query *q)
{
	struct query_pages *p = calloc(1, sizeof(*p));
	uint8_t header[FILE_HEADER];
	struct stat st;

	if (!p)
		return NULL;
	p->fd = open(q->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (p->fd >= 0 && fstat(p->fd, &st) == 0 &&
	    pread(p->fd, header, sizeof(header), 0) == sizeof(header)) {
		p->size = number(header + 16, 2);
		/* Of 64 KiB there is 1: it has two bytes. */
		p->size = p->size == 1 ? 65536 : p->size;
		if (p->size >= 512)
			p->count = (uint32_t)(st.st_size / p->size);
	}
	p->process_root = root_of(q, "process_row");
	p->image_root = root_of(q, "image");
	return p;
}

void query_pages_free(struct query_pages *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	for (int i = 0; i < LEVELS_MAX; i++)
		free(p->page[i]);
	free(p);
}

static int compare_runs(const void *first, const void *second)
{
	const struct id_run *a = first, *b = second;

	return a->first < b->first ? -1 : a->first > b->first;
}

/* Each id once, in order. */
static size_t sort_ids(struct id_run *runs, size_t count)
{
	size_t kept = 0;

	qsort(runs, count, sizeof(*runs), compare_runs);
	for (size_t i = 0; i < count; i++) {
		if (!kept || runs[i].first != runs[kept - 1].first)
			runs[kept++] = runs[i];
	}
	return kept;
}

/* The images of these, at most QUERY_AHEAD_IDS. */
static size_t find_images(struct query *q, const struct query_ahead *what, struct id_run *images)
{
	sqlite3_stmt *stmt;
	size_t count = 0;

	if (query_prepare(q, QUERY_AHEAD, &stmt) < 0)
		return 0;
	sqlite3_clear_bindings(stmt);
	if (what->started) {
		sqlite3_bind_int(stmt, 3, what->started->boot->number);
		sqlite3_bind_int64(stmt, 4, what->started->from_ns);
		sqlite3_bind_int64(stmt, 5, what->started->to_ns);
	}
	for (size_t i = 0; i < what->count && count < QUERY_AHEAD_IDS; i++) {
		sqlite3_bind_int64(stmt, 1, what->runs[i].first);
		sqlite3_bind_int64(stmt, 2, what->runs[i].end);
		while (count < QUERY_AHEAD_IDS && sqlite3_step(stmt) == SQLITE_ROW) {
			int64_t image = sqlite3_column_int64(stmt, 1);

			if (image <= 0 || image == INT64_MAX ||
			    (what->wanted &&
			     !idmap_get(what->wanted, sqlite3_column_int64(stmt, 0))))
				continue;
			images[count++] = (struct id_run){image, image + 1};
		}
		sqlite3_reset(stmt);
	}
	return sort_ids(images, count);
}

void query_ahead(struct query *q, const struct query_ahead *what)
{
	CLEANUP_FREE struct id_run *images = NULL;
	int64_t before;

	if (!query_is_cold(q))
		return;
	if (!q->pages)
		q->pages = open_pages(q);
	if (!q->pages || !q->pages->count)
		return;
	images = calloc(QUERY_AHEAD_IDS, sizeof(*images));
	if (!images)
		return;
	before = query_blocks_read();
	hint(q->pages, q->pages->process_root, what->runs, what->count);
	hint(q->pages, q->pages->image_root, images, find_images(q, what, images));
	/* Was there nothing to wait for, the rest may be in memory as well. */
	if (query_blocks_read() - before < BLOCKS_MIN)
		q->blocks_read = query_blocks_read();
}

void query_ahead_parents(struct query *q, const struct process_list *list, size_t first)
{
	CLEANUP_FREE struct id_run *runs = NULL;
	size_t count = 0;

	if (!query_is_cold(q) || first >= list->count)
		return;
	runs = calloc(list->count - first, sizeof(*runs));
	for (size_t i = first; runs && i < list->count; i++) {
		int64_t id = list->item[i]->parent_id;

		if (list->item[i]->db == q && id > 0 && id < INT64_MAX &&
		    !idmap_get(&q->processes, id))
			runs[count++] = (struct id_run){id, id + 1};
	}
	if (count)
		query_ahead(q, &(struct query_ahead){runs, sort_ids(runs, count), NULL, NULL});
}
