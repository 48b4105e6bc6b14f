/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tree.h"

#define COUNT_MAX 64

static struct process processes[COUNT_MAX];
static struct process_list list;

static void setup(void)
{
	memset(processes, 0, sizeof(processes));
	list = (struct process_list){0};
}

static void teardown(void)
{
	process_list_deinit(&list);
}

static struct process *add(int64_t id, int64_t parent)
{
	struct process *p = &processes[list.count];

	p->id = p->pid = id;
	p->parent_id = parent;
	p->end_boot_ns = UNKNOWN;
	p->selected = true;
	ck_assert_int_eq(process_list_add(&list, p), 0);
	return p;
}

/* Pre-order as "1(2(4)3)5". */
static void describe(const struct forest *f, char *out)
{
	unsigned int depth = 0;

	*out = '\0';
	for (struct node *n = forest_next(f, NULL); n; n = forest_next(f, n)) {
		while (depth < n->depth) {
			strcat(out, "(");
			depth++;
		}
		while (depth > n->depth) {
			strcat(out, ")");
			depth--;
		}
		if (*out && out[strlen(out) - 1] != '(')
			strcat(out, " ");
		sprintf(out + strlen(out), "%d", (int)n->process->id);
		if (n->same > 1)
			sprintf(out + strlen(out), "x%u", n->same);
	}
	for (; depth > 0; depth--)
		strcat(out, ")");
}

static void expect(struct forest *f, const char *expected)
{
	char text[4096];

	describe(f, text);
	ck_assert_str_eq(text, expected);
}

START_TEST(builds)
{
	struct forest f;

	add(1, 0);
	add(2, 1);
	add(3, 1);
	add(4, 2);
	add(5, 99); /* its parent is not here */
	ck_assert_int_eq(forest_build(&list, NULL, NULL, &f), 0);
	expect(&f, "1(2(4) 3) 5");
	forest_deinit(&f);
}
END_TEST

START_TEST(empty)
{
	struct forest f;

	ck_assert_int_eq(forest_build(&list, NULL, NULL, &f), 0);
	ck_assert_ptr_null(forest_next(&f, NULL));
	ck_assert_int_eq(forest_fold(&f), 0);
	forest_deinit(&f);
}
END_TEST

/* Parents before, behind or in a ring: every process comes exactly once. */
START_TEST(any_links)
{
	unsigned int seed = (unsigned int)_i;
	bool seen[COUNT_MAX] = {false};
	size_t count = 0;
	struct forest f;

	for (int i = 0; i < COUNT_MAX; i++)
		add(i + 1, rand_r(&seed) % (COUNT_MAX + 3));
	ck_assert_int_eq(forest_build(&list, NULL, NULL, &f), 0);
	for (struct node *n = forest_next(&f, NULL); n; n = forest_next(&f, n)) {
		ck_assert(!seen[n->process->id - 1]);
		seen[n->process->id - 1] = true;
		ck_assert(!n->parent || n->parent->process->id == n->process->parent_id);
		ck_assert_uint_eq(n->depth, n->parent ? n->parent->depth + 1 : 0);
		count++;
	}
	ck_assert_uint_eq(count, COUNT_MAX);
	forest_deinit(&f);
}
END_TEST

START_TEST(rings_are_cut)
{
	struct forest f;

	add(1, 3);
	add(2, 1);
	add(3, 2);
	add(4, 4);
	ck_assert_int_eq(forest_build(&list, NULL, NULL, &f), 0);
	expect(&f, "3(1(2)) 4");
	forest_deinit(&f);
}
END_TEST

/* Ten thousand levels: nothing here calls itself. */
START_TEST(deep)
{
	size_t count = 10000;
	struct process *many = calloc(count, sizeof(*many));
	struct process_list deep_list = {0};
	struct node *last = NULL;
	struct forest f;

	ck_assert_ptr_nonnull(many);
	for (size_t i = 0; i < count; i++) {
		many[i].id = (int64_t)i + 1;
		many[i].parent_id = (int64_t)i;
		ck_assert_int_eq(process_list_add(&deep_list, &many[i]), 0);
	}
	ck_assert_int_eq(forest_build(&deep_list, NULL, NULL, &f), 0);
	ck_assert_int_eq(forest_fold(&f), 0);
	for (struct node *n = forest_next(&f, NULL); n; n = forest_next(&f, n))
		last = n;
	ck_assert_ptr_nonnull(last);
	ck_assert_uint_eq(last->depth, count - 1);
	ck_assert_uint_eq(f.nodes[0].inside, count - 1);
	forest_deinit(&f);
	process_list_deinit(&deep_list);
	free(many);
}
END_TEST

START_TEST(folds)
{
	static const struct image cc = {.id = 1}, ld = {.id = 2};
	struct forest f;

	add(1, 0);
	for (int i = 2; i <= 5; i++)
		add(i, 1)->image = &cc;
	processes[4].status = 256; /* one ended otherwise */
	add(6, 2)->image = &ld;	   /* the same below two of them */
	add(7, 3)->image = &ld;
	add(8, 1)->image = &ld;
	ck_assert_int_eq(forest_build(&list, NULL, NULL, &f), 0);
	ck_assert_int_eq(forest_fold(&f), 0);
	expect(&f, "1(2x2(6) 4 5 8)");
	ck_assert_uint_eq(f.nodes[0].inside, 7);
	forest_deinit(&f);
}
END_TEST

/* What is asked for never hides behind what is not. */
START_TEST(selected_does_not_fold)
{
	struct forest f;

	add(1, 0);
	add(2, 1);
	add(3, 1)->selected = false;
	ck_assert_int_eq(forest_build(&list, NULL, NULL, &f), 0);
	ck_assert_int_eq(forest_fold(&f), 0);
	expect(&f, "1(2 3)");
	forest_deinit(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tree");
	TCase *tcase = tcase_create("tree");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, builds);
	tcase_add_test(tcase, empty);
	tcase_add_loop_test(tcase, any_links, 0, 200);
	tcase_add_test(tcase, rings_are_cut);
	tcase_add_test(tcase, deep);
	tcase_add_test(tcase, folds);
	tcase_add_test(tcase, selected_does_not_fold);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
