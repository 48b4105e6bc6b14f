/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every record has in common: its head, the waking of its reader, and what happens without
 * room for it.
 */
#ifndef LINEAGE_SEND_BPF_H
#define LINEAGE_SEND_BPF_H

/*
 * The reader sleeps until it is woken or its interval is over, and says so in need_wake. Waking is
 * the dearest thing that could be done here (an interrupt to another CPU), so at most once per
 * sleep. Unless it waits for any, how much is in the ring is looked at with every 16th event of a
 * CPU, and with the largest records: some kilobytes late. `more` bytes are not in the ring yet.
 */
static __always_inline __u64 wake_flags(__u64 seq, __u64 more)
{
	struct lineage_control *ctl = control_get();

	if (!ctl || !ctl->need_wake)
		return BPF_RB_NO_WAKEUP;
	if (ctl->wake_bytes > 1 &&
	    (seq % 16 || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) + more < ctl->wake_bytes))
		return BPF_RB_NO_WAKEUP;
	ctl->need_wake = 0;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void header_fill(struct lineage_header *h, __u16 kind, __u64 seq,
					__u64 boot_ns)
{
	h->kind = kind;
	h->cpu = bpf_get_smp_processor_id();
	h->seq = seq;
	h->boot_ns = boot_ns;
}

static __always_inline void lost(struct lineage_counters *c, __u32 kind)
{
	count(&c->lost[kind]);
	c->last_lost_boot_ns = bpf_ktime_get_boot_ns();
}

#endif
