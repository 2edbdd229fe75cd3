// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Counts the TCP connections of the machine inside the kernel: what changes the state of a socket, and what goes through
// it. build.rs compiles this file with clang; the result is a part of the agent's binary. No headers are needed: types of
// the kernel are declared with the members that are used, and their places are found when the program is loaded (CO-RE).
// The layout of `struct flow`, `struct counts`, `struct listener`, `struct process` is read by maps.rs.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define SECTION(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
#define INLINE static inline __attribute__((always_inline))

// Helpers by their number (include/uapi/linux/bpf.h).
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static u64 (*const now)(void) = (void *)5;
static u64 (*const current_pid_tgid)(void) = (void *)14;
static u64 (*const current_uid_gid)(void) = (void *)15;
static long (*const current_comm)(void *buffer, u32 size) = (void *)16;
static u64 (*const socket_cookie)(void *socket) = (void *)46;
static void *(*const ring_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ring_submit)(void *data, u64 flags) = (void *)132;
static void *(*const to_tcp_sock)(void *socket) = (void *)137;

enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_LRU_HASH = 9, MAP_RINGBUF = 27 };
enum { NO_PREALLOC = 1, IF_ABSENT = 1 };
#define UINT(name, value) int(*name)[value]

enum { FAMILY_INET = 2, FAMILY_INET6 = 10, PROTOCOL_TCP = 6 };
enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECEIVED = 3, CLOSED = 7, LISTEN = 10 };
enum { MESSAGE_PEEK = 2 };
// Nanoseconds after which a connection that goes on is looked at again.
enum { BETWEEN_COUNTS = 100000000 };
// The bit of sock_common.skc_flags that says that the end of the stream has come (enum sock_flags: SOCK_DONE).
enum { STREAM_ENDED = 1 };

struct ns_common {
    u32 inum;
} KERNEL;
struct net {
    struct ns_common ns;
} KERNEL;
typedef struct {
    struct net *net;
} KERNEL possible_net_t;
struct in6_addr {
    union {
        u8 u6_addr8[16];
        u32 u6_addr32[4];
    } in6_u;
} KERNEL;
struct sock_common {
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    u16 skc_dport;
    u16 skc_num;
    u16 skc_family;
    unsigned long skc_flags;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
} KERNEL;
struct sock {
    struct sock_common __sk_common;
    u16 sk_protocol;
} KERNEL;
struct tcp_sock {
    u64 bytes_sent;
    u64 bytes_retrans;
    u64 bytes_received;
} KERNEL;

struct address {
    u32 words[4];
};

enum { INBOUND = 0, OUTBOUND = 1 };

// Connections that are counted together. Readers let the epoch go on and read what belongs to the one before.
struct flow {
    u32 namespace;
    u32 pid;
    u8 direction;
    u8 epoch;
    u16 port;
    struct address local;
    struct address remote;
};

struct counts {
    s64 live;
    u64 established;
    u64 terminated;
    u64 failed;
    u64 sent;
    u64 received;
    u64 responses;
    u64 response_sum;
    // The greatest value of ~time: its complement is the least time.
    u64 response_least;
    u64 response_most;
};

// A connection that is open or being opened.
struct link {
    struct flow flow;
    u32 connecting;
    u64 sent;
    u64 received;
    u64 asked_at;
    u64 answered_at;
    u64 counted_at;
};

struct listener {
    u32 namespace;
    u32 port;
    struct address address;
};

// Somebody connects whom the reader may not know.
struct process {
    u32 pid;
    u32 user;
    char name[16];
};

struct {
    UINT(type, MAP_HASH);
    UINT(map_flags, NO_PREALLOC);
    UINT(max_entries, 131072);
    u64 *key;
    struct link *value;
} links SECTION(".maps");

struct {
    UINT(type, MAP_HASH);
    UINT(map_flags, NO_PREALLOC);
    UINT(max_entries, 65536);
    struct flow *key;
    struct counts *value;
} flows SECTION(".maps");

struct {
    UINT(type, MAP_LRU_HASH);
    UINT(max_entries, 4096);
    struct listener *key;
    u32 *value;
} listeners SECTION(".maps");

// The epoch, and how many events found no place in a map.
struct {
    UINT(type, MAP_ARRAY);
    UINT(max_entries, 2);
    u32 *key;
    u64 *value;
} control SECTION(".maps");
enum { EPOCH = 0, LOST = 1 };

struct {
    UINT(type, MAP_RINGBUF);
    UINT(max_entries, 65536);
} processes SECTION(".maps");

INLINE u64 *control_value(u32 which) { return map_lookup(&control, &which); }

INLINE void lost(void) {
    u64 *count = control_value(LOST);
    if (count)
        __sync_fetch_and_add(count, 1);
}

INLINE int is_tcp(struct sock *sk) {
    u16 family = sk->__sk_common.skc_family;
    return (family == FAMILY_INET || family == FAMILY_INET6) && sk->sk_protocol == PROTOCOL_TCP;
}

// Addresses are kept as IPv6 addresses, those of IPv4 as mapped ones (RFC 4291, 2.5.5.2).
INLINE void put_addresses(struct sock *sk, struct address *local, struct address *remote) {
    if (sk->__sk_common.skc_family == FAMILY_INET6) {
        for (int i = 0; i < 4; i++) {
            local->words[i] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i];
            remote->words[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
        }
        return;
    }
    local->words[0] = remote->words[0] = 0;
    local->words[1] = remote->words[1] = 0;
    local->words[2] = remote->words[2] = __builtin_bswap32(0xffff);
    local->words[3] = sk->__sk_common.skc_rcv_saddr;
    remote->words[3] = sk->__sk_common.skc_daddr;
}

INLINE struct counts *counts_of(struct link *link) {
    struct flow key = link->flow;
    u64 *epoch = control_value(EPOCH);
    key.epoch = epoch ? *epoch & 1 : 0;
    struct counts *found = map_lookup(&flows, &key);
    if (found)
        return found;
    struct counts none = {};
    map_update(&flows, &key, &none, IF_ABSENT);
    found = map_lookup(&flows, &key);
    if (!found)
        lost();
    return found;
}

INLINE void raise(u64 *most, u64 value) {
    for (int tries = 0; tries < 4; tries++) {
        u64 before = *most;
        if (before >= value || __sync_val_compare_and_swap(most, before, value) == before)
            return;
    }
}

// Adds the response that was under way, if there is one.
INLINE void end_response(struct link *link, struct counts *counts) {
    if (!link->answered_at || link->answered_at < link->asked_at)
        return;
    u64 time = link->answered_at - link->asked_at;
    link->answered_at = 0;
    __sync_fetch_and_add(&counts->responses, 1);
    __sync_fetch_and_add(&counts->response_sum, time);
    raise(&counts->response_least, ~time);
    raise(&counts->response_most, time);
}

// Adds what went through the socket since it was looked at before. Two looks at once add the same in sum: each gives back
// what it found.
INLINE void add_bytes(struct sock *sk, struct link *link, struct counts *counts) {
    struct tcp_sock *tcp = to_tcp_sock(sk);
    if (!tcp)
        return;
    u64 sent = tcp->bytes_sent - tcp->bytes_retrans;
    // the end of the stream counts one
    u64 received = tcp->bytes_received - (sk->__sk_common.skc_flags >> STREAM_ENDED & 1);
    if (sent != link->sent)
        __sync_fetch_and_add(&counts->sent, sent - __sync_lock_test_and_set(&link->sent, sent));
    if (received != link->received)
        __sync_fetch_and_add(&counts->received, received - __sync_lock_test_and_set(&link->received, received));
}

// Tells the reader who connects, while the process is there to be looked at.
INLINE void announce(u32 pid) {
    struct process *process = ring_reserve(&processes, sizeof(*process), 0);
    if (!process)
        return;
    process->pid = pid;
    process->user = (u32)current_uid_gid();
    current_comm(process->name, sizeof(process->name));
    ring_submit(process, 0);
}

// The process that listens where a connection came in.
INLINE u32 pid_of_listener(const struct flow *flow) {
    struct listener key = {.namespace = flow->namespace, .port = flow->port, .address = flow->local};
    u32 *pid = map_lookup(&listeners, &key);
    if (!pid) {
        for (int i = 0; i < 4; i++)
            key.address.words[i] = 0;
        pid = map_lookup(&listeners, &key);
    }
    return pid ? *pid : 0;
}

INLINE void listening(struct sock *sk) {
    struct listener key = {.namespace = sk->__sk_common.skc_net.net->ns.inum, .port = sk->__sk_common.skc_num};
    struct address remote;
    put_addresses(sk, &key.address, &remote);
    // all addresses of either family
    if (!key.address.words[3] && !key.address.words[0] && !key.address.words[1])
        key.address.words[2] = 0;
    u32 pid = current_pid_tgid() >> 32;
    map_update(&listeners, &key, &pid, 0);
}

INLINE void begin(struct sock *sk, u64 cookie, u8 direction, u32 connecting) {
    struct link link = {.connecting = connecting, .counted_at = now()};
    link.flow.namespace = sk->__sk_common.skc_net.net->ns.inum;
    link.flow.direction = direction;
    put_addresses(sk, &link.flow.local, &link.flow.remote);
    if (direction == OUTBOUND) {
        link.flow.port = __builtin_bswap16(sk->__sk_common.skc_dport);
        // any other process may be running when the answer comes
        link.flow.pid = connecting ? current_pid_tgid() >> 32 : 0;
    } else {
        link.flow.port = sk->__sk_common.skc_num;
        link.flow.pid = pid_of_listener(&link.flow);
    }
    if (map_update(&links, &cookie, &link, 0)) {
        lost();
        return;
    }
    struct flow key = link.flow;
    u64 *epoch = control_value(EPOCH);
    key.epoch = epoch ? *epoch & 1 : 0;
    if (connecting && !map_lookup(&flows, &key)) {
        struct counts none = {};
        map_update(&flows, &key, &none, IF_ABSENT);
        announce(link.flow.pid);
    }
}

SECTION("tp_btf/inet_sock_set_state")
int socket_state(u64 *context) {
    struct sock *sk = (struct sock *)context[0];
    int before = (int)context[1], after = (int)context[2];
    if (after != ESTABLISHED && after != SYN_SENT && after != CLOSED && after != LISTEN)
        return 0;
    if (!is_tcp(sk))
        return 0;
    if (after == LISTEN) {
        listening(sk);
        return 0;
    }
    u64 cookie = socket_cookie(sk);
    if (after == SYN_SENT) {
        begin(sk, cookie, OUTBOUND, 1);
        return 0;
    }
    struct link *link = map_lookup(&links, &cookie);
    if (after == ESTABLISHED) {
        if (!link) {
            begin(sk, cookie, before == SYN_RECEIVED ? INBOUND : OUTBOUND, 0);
            link = map_lookup(&links, &cookie);
            if (!link)
                return 0;
        }
        link->connecting = 0;
        struct counts *counts = counts_of(link);
        if (counts) {
            __sync_fetch_and_add(&counts->established, 1);
            __sync_fetch_and_add(&counts->live, 1);
        }
        return 0;
    }
    if (!link)
        return 0;
    struct counts *counts = counts_of(link);
    if (counts) {
        if (link->connecting) {
            __sync_fetch_and_add(&counts->failed, 1);
        } else {
            add_bytes(sk, link, counts);
            end_response(link, counts);
            __sync_fetch_and_add(&counts->terminated, 1);
            __sync_fetch_and_add(&counts->live, -1);
        }
    }
    map_delete(&links, &cookie);
    return 0;
}

// A process has sent or received. Its response time goes from the last byte that asked to the last byte that answered.
INLINE int data(u64 *context, int asking_direction) {
    struct sock *sk = (struct sock *)context[0];
    int length = (int)context[1], flags = (int)context[2];
    if (length <= 0 || flags & MESSAGE_PEEK || !is_tcp(sk))
        return 0;
    u64 cookie = socket_cookie(sk);
    struct link *link = map_lookup(&links, &cookie);
    if (!link)
        return 0;
    u64 time = now();
    int asking = link->flow.direction == asking_direction;
    // what went through is looked at with the request after a response, in long streams now and then, and at the end
    if ((asking && link->answered_at) || time - link->counted_at > BETWEEN_COUNTS) {
        struct counts *counts = counts_of(link);
        if (counts) {
            add_bytes(sk, link, counts);
            if (asking)
                end_response(link, counts);
        }
        link->counted_at = time;
    }
    if (asking)
        link->asked_at = time;
    else if (link->asked_at)
        link->answered_at = time;
    return 0;
}

SECTION("tp_btf/sock_send_length")
int socket_sent(u64 *context) { return data(context, OUTBOUND); }

SECTION("tp_btf/sock_recv_length")
int socket_received(u64 *context) { return data(context, INBOUND); }

char program_license[] SECTION("license") = "Dual MIT/GPL";
