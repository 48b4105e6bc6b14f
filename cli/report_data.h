/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of a report: one JSON document for cli/report/model.js, compact because each string,
 * image and context is told once. Text in it is what a person reads: what cannot be shown has been
 * made visible already. It is harmless inside a <script> block.
 */
#ifndef LINEAGED_CLI_REPORT_DATA_H
#define LINEAGED_CLI_REPORT_DATA_H

#include <stdio.h>

#include "cli/extract.h"

/* 0 or an error of the database or of writing. */
int report_data_write(FILE *out, const struct session *session, const struct extract *extract);

#endif
