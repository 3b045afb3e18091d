// SPDX-License-Identifier: Apache-2.0
// The insides of sessions: ofconn.c runs one connection, ofcontroller.c makes and keeps the connections that the configuration asks for, ofconn_async.c sends what
// nobody asked for just now, ofserve*.c answers requests. Main thread.
#ifndef OFPROTO_OFCONN_PRIVATE_H
#define OFPROTO_OFCONN_PRIVATE_H 1

#include "lib/base/list.h"
#include "lib/base/stream.h"
#include "lib/of/msg.h"
#include "ofproto/ofconn.h"

/* What a session may owe its peer and how much it may be told. All bounds are in bytes of one session's send queue. */
#define OFCONN_ASYNC_MAX (512 * 1024)    /* Above it packet-ins are dropped. */
#define OFCONN_PAUSE_AT (1024 * 1024)    /* Above it no request is taken until the queue has drained. */
#define OFCONN_PRODUCE_BELOW (128 * 1024) /* Below it a long reply goes on. */
#define OFCONN_BACKLOG_MAX (64u << 20)   /* Above it the session is closed: the peer does not read. */

enum ofconn_state {
    OFCONN_CONNECTING,
    OFCONN_HELLO,      /* Ours is sent, the peer's not yet here. */
    OFCONN_ACTIVE,
};

struct controller;

/* A reply that is made as the peer reads: more() appends to the session by ofconn_send() and answers whether there is still more; done() releases 'arg', also when the
 * session dies. While there is one, no further request is taken. */
struct ofconn_producer {
    bool (*more)(struct ofconn *, void *arg);
    void (*done)(void *arg);
    void *arg;
};

struct ofconn {
    struct cds_list_head node;        /* In ofconns.all. */
    struct ofconns *mgr;
    struct controller *controller;    /* Whose configuration it follows. */
    struct stream *stream;
    char *name;                       /* "br0<->tcp:127.0.0.1:6653". */
    enum ofconn_state state;
    enum of_version version;          /* OF_NONE before the hellos. */
    bool primary;                     /* A controller, not a service connection. */
    bool closing;                     /* To be closed when control returns to the session's own code. */

    /* What the peer has set. */
    enum of_role role;
    struct of_async async;
    bool async_set;                   /* Else the defaults of role and kind hold. */
    enum packet_in_format packet_in_format;
    uint16_t controller_id;
    uint16_t miss_send_len;
    bool invalid_ttl_to_controller;
    bool flow_format_nxm;             /* NXT_SET_FLOW_FORMAT: flows of 1.0 are told in NXM. */
    bool flow_mod_table_id;           /* NXT_FLOW_MOD_TABLE_ID: the upper byte of a 1.0 command is a table. */
    struct cds_list_head monitors;    /* Flow monitors; ofserve's. */
    bool monitors_paused;
    int64_t monitors_paused_ms;
    be32 monitors_abbreviated;        /* xid of its own message whose effects were told in short; 0: none. */
    struct cds_list_head bundles;     /* ofserve's. */

    struct ofconn_producer producer;  /* more NULL: none. */
    struct loop_timer *timer;         /* Inactivity probe. */
    struct loop_timer *resume;        /* Goes on with requests after a turn's share was done. */
    int64_t last_heard_ms;
    bool probing;
    int64_t tokens_milli, tokens_at_ms; /* Rate limit of packet-ins. */
};

struct ofconns {
    struct bridge *bridge;
    struct loop *loop;
    struct cds_list_head all;         /* struct ofconn. */
    struct cds_list_head controllers; /* struct controller, the configured ones and <bridge>.mgmt. */
    struct cds_list_head snoops;      /* struct snoop: listeners and those who listen. */
    struct loop_timer *fail_timer;    /* Watches for fail-open. */
    int64_t all_lost_ms;              /* Since when no primary controller is connected; 0: one is, or there are none. */
    bool has_primaries, configured, was_secure;
    uint64_t role_generation;
    bool role_generation_set;
};

/* One configured target. */
struct controller {
    struct cds_list_head node;
    struct ofconns *mgr;
    struct controller_config config;  /* target is owned. */
    char *target;
    bool passive, seen, is_mgmt;
    struct stream_listener *listener;
    struct ofconn *conn;              /* Of an active one; NULL in back-off. */
    struct loop_timer *retry;
    uint32_t backoff_s;
    int64_t connected_ms, disconnected_ms; /* When it last became so; 0: never. */
    char *last_error;
};

/* ofconn.c */
struct ofconn *ofconn_create(struct controller *, struct stream *, bool connected);
void ofconn_destroy(struct ofconn *);                            /* Without telling its controller. */
void ofconn_send(struct ofconn *, struct buf *);                 /* Sends whole messages; empties the buffer. */
void ofconn_send_error(struct ofconn *, enum of_error, const struct of_msg *request);
void ofconn_produce(struct ofconn *, const struct ofconn_producer *);
void ofconn_close_soon(struct ofconn *);
const struct of_async *ofconn_async(const struct ofconn *, struct of_async *defaults); /* What holds for it. */
/* OFERR_OK, or OFPRRFC_STALE, OFPRRFC_BAD_ROLE. A new master makes the old one a slave. */
enum of_error ofconn_set_role(struct ofconn *, const struct of_role_request *);
/* ofconn_async.c: sets bridge->miss_to_controller. Called when a session came, went or changed what it wants: sessions before OpenFlow 1.3 are told of packets that match
 * no rule; later versions have rules for them. */
void ofconns_update_miss(struct ofconns *);
/* ofcontroller.c */
void controller_lost(struct controller *, struct ofconn *, int error); /* Its session died: the session is destroyed. */
void controller_admitted(struct controller *);                         /* The hellos are done. */
void ofconns_snoop(struct ofconn *, const void *bytes, size_t);        /* Copies to those who listen on <bridge>.snoop. */
/* ofserve.c: a request other than those of the session itself (hello, echo). */
void ofserve_request(struct ofconn *, const struct of_msg *);
void ofserve_drained(struct ofconn *);                                  /* The peer has read all. */
void ofserve_forget(struct ofconn *);                                   /* Monitors, bundles. */

#endif
