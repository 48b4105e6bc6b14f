/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of journal messages: fixed for ever, explained in the journal catalog (systemd/).
 * A message that nobody would search for or act on has none.
 */
#ifndef LINEAGED_MESSAGE_IDS_H
#define LINEAGED_MESSAGE_IDS_H

#include <systemd/sd-id128.h>

/* Recording has begun; programs attached and snapshot committed. */
#define MESSAGE_STARTED \
	SD_ID128_MAKE(57, 35, 56, 3f, 0d, 68, 4c, 0a, aa, 3c, d1, 9a, e9, c8, 20, 79)
/* Recording has ended by request, clean stop. */
#define MESSAGE_STOPPED \
	SD_ID128_MAKE(c0, 2c, 24, 7f, 98, fb, 4d, b0, 86, fc, c0, 6d, 73, 1a, 62, 7c)
/* BPF programs have been attached (first start or new layout). */
#define MESSAGE_ATTACHED \
	SD_ID128_MAKE(4f, be, 84, bc, ef, 19, 40, 1e, a5, 83, f4, e8, 35, 3e, f1, d8)
/* BPF programs could not be loaded or attached. */
#define MESSAGE_ATTACH_FAILED \
	SD_ID128_MAKE(28, b2, de, f0, 40, b6, 4f, f1, 86, c1, 12, 46, 29, 86, b2, e8)
/* Events found no room in the ring buffer. */
#define MESSAGE_EVENTS_LOST \
	SD_ID128_MAKE(19, f3, d1, 7f, 3b, c8, 4a, 4a, 92, 44, 4b, c8, 58, 52, ec, 7e)
/* A gap row was written to the database. */
#define MESSAGE_GAP_RECORDED \
	SD_ID128_MAKE(fc, a8, e5, df, 6d, 0a, 42, e1, a2, 86, 12, f1, 40, 68, 49, 55)
/* Database cannot be written (full, read-only, I/O error); recording goes on in ring and cache. */
#define MESSAGE_DATABASE_FULL \
	SD_ID128_MAKE(b6, 71, 5b, 3f, e4, b9, 4c, 5d, 89, 3e, ba, b4, 9c, 1a, 6d, 03)
/* Database can be written again. */
#define MESSAGE_DATABASE_WRITABLE_AGAIN \
	SD_ID128_MAKE(61, fa, 46, 83, 1e, af, 49, 22, ab, c5, b6, e8, 9b, 93, b9, bc)
/* A damaged or foreign database was renamed and a new one started. */
#define MESSAGE_DATABASE_SET_ASIDE \
	SD_ID128_MAKE(da, f9, 39, f1, 48, 8b, 43, 4c, b1, d5, 7c, c0, b0, 1f, 95, 90)
/* Database layout was migrated to a newer schema version. */
#define MESSAGE_SCHEMA_MIGRATED \
	SD_ID128_MAKE(c6, 85, 9c, b3, 4a, da, 4d, 48, 84, eb, 17, 66, 3b, eb, e5, 38)
/* Retention removed old processes. */
#define MESSAGE_PRUNED SD_ID128_MAKE(18, 82, 87, 52, 4e, a1, 4d, b9, bb, 58, ca, 0b, b7, 67, 6f, 82)
/* A reader keeps the write-ahead log from being checkpointed. */
#define MESSAGE_WAL_PINNED \
	SD_ID128_MAKE(4e, a5, 53, 11, 40, cb, 48, ed, 8a, 1e, 15, 78, 52, 9c, f6, 61)
/* A configuration line was not understood or a value was out of range. */
#define MESSAGE_CONFIG_PROBLEM \
	SD_ID128_MAKE(11, dd, 0e, 1f, eb, 8b, 40, 2e, ae, 7a, 68, 15, 20, 9a, 98, 86)
/* Wall clock was stepped or the machine was suspended; a new offset was recorded. */
#define MESSAGE_CLOCK_STEPPED \
	SD_ID128_MAKE(84, c9, 71, d0, d8, 74, 47, 43, b7, ef, 2e, 92, 50, 46, 51, 88)
/* A new daemon continues the ring of an earlier one after a restart or crash. */
#define MESSAGE_RESUMED \
	SD_ID128_MAKE(d1, 7f, 7c, 34, ee, 16, 4a, f0, bc, 9b, 9a, 23, ce, f0, ee, 68)
/* Programs of another layout version were replaced after draining their ring. */
#define MESSAGE_TAKEN_OVER \
	SD_ID128_MAKE(6e, f2, 0a, 26, 51, 3b, 4c, 19, 82, ca, 54, fc, 65, fa, 2c, f2)

#endif
