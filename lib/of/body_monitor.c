// SPDX-License-Identifier: Apache-2.0
// Flow monitors on the wire: Nicira's up to 1.2, the ONF's extension of 1.3, that of 1.4 and later.
#include <config.h>
#include "lib/of/body.h"
#include "lib/of/oxm.h"

/* Events as 1.4 numbers them; Nicira and the ONF count added, deleted, modified, abbreviated. */
enum { EVENT14_INITIAL, EVENT14_ADDED, EVENT14_REMOVED, EVENT14_MODIFIED, EVENT14_ABBREV, EVENT14_PAUSED, EVENT14_RESUMED };
#define FLAGS_COMMON 0x1f
#define NX_OWN 0x20
#define OF14_NO_ABBREV 0x20
#define OF14_ONLY_OWN 0x40

static enum of_error
decode_nx(struct slice *s, struct flow_monitor_request *r)
{
    uint16_t match_len = 0;
    be16 port = 0;
    const uint8_t *match;

    slice_get_be32(s, &r->id);
    slice_get_be16(s, &r->flags);
    slice_get(s, &port, sizeof port);
    r->select.out_port = of_port_from_wire16(port);
    slice_get_be16(s, &match_len);
    slice_get_u8(s, &r->select.table_id);
    slice_pull(s, 5);
    match = slice_pull(s, ROUND_UP((size_t) match_len, 8));
    return match ? oxm_decode(slice_of(match, match_len), true, &r->select.match, NULL) : OFERR_OFPBRC_BAD_LEN;
}

static enum of_error
decode_onf(struct slice *s, struct flow_monitor_request *r)
{
    be32 port = 0;

    slice_get_be32(s, &r->id);
    slice_get_be16(s, &r->flags);
    slice_pull(s, 2);
    slice_get(s, &port, sizeof port);
    slice_get_u8(s, &r->select.table_id);
    slice_pull(s, 3);
    return of_port_from_wire32(port, &r->select.out_port) ? of_match_pull(s, OF13, true, &r->select.match) : OFERR_OFPMOFC_BAD_OUT;
}

/* ONLY_OWN is what the installed tools set for "own": it asks for own changes in full, beside those of others. */
static enum of_error
decode14(struct slice *s, enum of_version version, struct flow_monitor_request *r)
{
    be32 port = 0;
    uint16_t flags;

    slice_get_be32(s, &r->id);
    slice_get(s, &port, sizeof port);
    slice_get_be32(s, &r->select.out_group);
    slice_get_be16(s, &r->flags);
    slice_get_u8(s, &r->select.table_id);
    slice_get_u8(s, &r->command);
    flags = r->flags;
    r->flags = (uint16_t) ((flags & FLAGS_COMMON) | (flags & (OF14_NO_ABBREV | OF14_ONLY_OWN) ? FLOW_MONITOR_OWN : 0));
    if (flags & ~(FLAGS_COMMON | OF14_NO_ABBREV | OF14_ONLY_OWN)) {
        return OFERR_OFPMOFC_BAD_FLAGS;
    }
    return of_port_from_wire32(port, &r->select.out_port) ? of_match_pull(s, version, true, &r->select.match) : OFERR_OFPMOFC_BAD_OUT;
}

enum of_error
flow_monitor_decode(const struct of_msg *m, struct slice *body, struct flow_monitor_request *r)
{
    enum of_error error;

    memset(r, 0, sizeof *r);
    r->select.out_group = OFPG_ANY;
    if (body->len < 16) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    error = m->row == MSG_NX_MONITOR_REQUEST    ? decode_nx(body, r)
            : m->row == MSG_ONF_MONITOR_REQUEST ? decode_onf(body, r)
                                                : decode14(body, m->version, r);
    if (error) {
        return error;
    }
    if (r->flags & ~(FLAGS_COMMON | NX_OWN) || (r->command == FLOW_MONITOR_ADD_COMMAND && !(r->flags & 0xf))) {
        return OFERR_OFPMOFC_BAD_FLAGS;
    }
    return r->command > FLOW_MONITOR_DELETE_COMMAND ? OFERR_OFPMOFC_BAD_COMMAND : OFERR_OK;
}

enum msg_row
flow_monitor_reply_row(enum of_version version)
{
    return version <= OF12 ? MSG_NX_MONITOR_REPLY : version == OF13 ? MSG_ONF_MONITOR_REPLY : MSG_MONITOR_REPLY14;
}

static uint16_t
event14(enum flow_update_event event)
{
    static const uint16_t events[] = {
        [FLOW_UPDATE_ADDED] = EVENT14_ADDED,       [FLOW_UPDATE_DELETED] = EVENT14_REMOVED, [FLOW_UPDATE_MODIFIED] = EVENT14_MODIFIED,
        [FLOW_UPDATE_INITIAL] = EVENT14_INITIAL,
    };

    return events[event];
}

static void
encode_older(enum flow_update_event event, uint8_t reason, const struct flow_stats *fs, enum of_version version, struct buf *b)
{
    size_t len_at, match_at;

    buf_put_be16(b, event == FLOW_UPDATE_INITIAL ? FLOW_UPDATE_ADDED : event);
    buf_put_be16(b, reason);
    buf_put_be16(b, fs->priority);
    buf_put_be16(b, fs->idle_timeout);
    buf_put_be16(b, fs->hard_timeout);
    len_at = b->len;
    buf_put_be16(b, 0);
    buf_put_u8(b, fs->table_id);
    buf_put_u8(b, 0);
    buf_put_be64(b, fs->cookie);
    match_at = b->len;
    if (version == OF13) {
        be16 length;

        of_match_put(&fs->match, version, b);
        memcpy(&length, b->data + match_at + 2, sizeof length);
        of_patch16(b, len_at, ntohs(length));
        ofact_encode_instructions(fs->actions, fs->actions_len, version, b);
        return;
    }
    oxm_encode(&fs->match, 0, b);
    of_patch16(b, len_at, (uint16_t) (b->len - match_at));
    buf_put_zeros(b, ROUND_UP(b->len - match_at, 8) - (b->len - match_at));
    ofact_encode_actions(fs->actions, fs->actions_len, version, b);
}

static void
encode14(enum flow_update_event event, uint8_t reason, const struct flow_stats *fs, enum of_version version, struct buf *b)
{
    buf_put_be16(b, event14(event));
    buf_put_u8(b, fs->table_id);
    buf_put_u8(b, reason);
    buf_put_be16(b, fs->idle_timeout);
    buf_put_be16(b, fs->hard_timeout);
    buf_put_be16(b, fs->priority);
    buf_put_zeros(b, 4);
    buf_put_be64(b, fs->cookie);
    of_match_put(&fs->match, version, b);
    ofact_encode_instructions(fs->actions, fs->actions_len, version, b);
}

void
flow_update_encode(struct of_multipart *mp, enum flow_update_event event, uint8_t reason, const struct flow_stats *fs)
{
    struct buf *b = mp->out;
    size_t start;

    of_multipart_entry_begin(mp);
    start = b->len;
    buf_put_be16(b, 0);
    if (mp->version >= OF14) {
        encode14(event, reason, fs, mp->version, b);
    } else {
        encode_older(event, reason, fs, mp->version, b);
    }
    of_patch16(b, start, (uint16_t) (b->len - start));
    of_multipart_entry_end(mp);
}

void
flow_update_abbrev_encode(be32 cause, enum of_version version, struct buf *b)
{
    struct of_multipart mp;

    of_multipart_begin(&mp, b, flow_monitor_reply_row(version), version, 0);
    buf_put_be16(b, 8);
    buf_put_be16(b, version >= OF14 ? EVENT14_ABBREV : 3);
    buf_put(b, &cause, sizeof cause);
    of_multipart_end(&mp, false);
}

void
flow_monitor_paused_encode(bool resumed, enum of_version version, struct buf *b)
{
    struct of_multipart mp;

    if (version < OF14) {
        enum msg_row paused = version == OF13 ? MSG_ONF_MONITOR_PAUSED : MSG_NX_MONITOR_PAUSED;
        enum msg_row resume = version == OF13 ? MSG_ONF_MONITOR_RESUMED : MSG_NX_MONITOR_RESUMED;

        empty_encode(resumed ? resume : paused, version, 0, b);
        return;
    }
    of_multipart_begin(&mp, b, MSG_MONITOR_REPLY14, version, 0);
    buf_put_be16(b, 8);
    buf_put_be16(b, resumed ? EVENT14_RESUMED : EVENT14_PAUSED);
    buf_put_zeros(b, 4);
    of_multipart_end(&mp, false);
}
