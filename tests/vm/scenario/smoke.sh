# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The harness itself: the guest boots to multi-user on this kernel with what the other scenarios need.
# vm-boot:
# vm-timeout: 120
# vm-default: no

boot_1() { guest_is_sound; }
