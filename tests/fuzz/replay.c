/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of a fuzz target where there is no libFuzzer: runs every file, and of each some mutants,
 * the same ones every time. Finds what was found before; looking for more is libFuzzer's part.
 *
 *   fuzz_records [-m MUTANTS] FILE|DIRECTORY...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define MOST (1u << 20)

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

static void mutate(uint8_t *data, size_t *size)
{
	static const uint8_t interesting[] = {0, 1, 0x7f, 0x80, 0xff};

	for (uint32_t n = 1 + draw(6); n && *size; n--) {
		size_t at = draw((uint32_t)*size);

		switch (draw(4)) {
		case 0:
			data[at] = (uint8_t)draw(256);
			break;
		case 1:
			data[at] = interesting[draw(sizeof(interesting))];
			break;
		case 2:
			data[at] ^= (uint8_t)(1u << draw(8));
			break;
		default:
			*size = at;
		}
	}
}

static void run_file(const char *path, int mutants)
{
	static uint8_t data[MOST], copy[MOST];
	FILE *f = fopen(path, "re");
	size_t size;

	if (!f) {
		perror(path);
		exit(2);
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	for (int i = 0; i < mutants; i++) {
		size_t n = size;

		memcpy(copy, data, size);
		mutate(copy, &n);
		LLVMFuzzerTestOneInput(copy, n);
	}
}

static int run_directory(const char *path, int mutants)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), files = 0;

	for (int i = 0; i < n; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.') {
			run_file(name, mutants);
			files++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return files;
}

int main(int argc, char **argv)
{
	int mutants = 0, files = 0, i = 1;

	if (argc > 2 && strcmp(argv[1], "-m") == 0) {
		mutants = atoi(argv[2]);
		i = 3;
	}
	for (; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			files += run_directory(argv[i], mutants);
			continue;
		}
		run_file(argv[i], mutants);
		files++;
	}
	printf("%d files, %d mutants of each\n", files, mutants);
	return files ? 0 : 2;
}
