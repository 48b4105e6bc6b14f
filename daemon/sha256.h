/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of FIPS 180-4, for a name of what is no secret: it takes 2 MiB of memory less than a
 * library for cryptography would.
 */
#ifndef LINEAGED_SHA256_H
#define LINEAGED_SHA256_H

#include <stddef.h>

/* 64 hexadecimal digits and a NUL. */
#define SHA256_HEX_SIZE 65

void sha256_hex(const void *bytes, size_t length, char ret_hex[SHA256_HEX_SIZE]);

#endif
