// SPDX-License-Identifier: Apache-2.0
// Flows on the wire: modifications, statistics, removals, in the three forms there are: 1.0's, Nicira's, and that of 1.1 and later.
#include <config.h>
#include "lib/of/body.h"
#include "lib/of/oxm.h"

#define OFPFF10_EMERG 4

static enum of_error
decode_command(uint16_t command, struct flow_mod *fm)
{
    if (command > OFPFC_DELETE_STRICT) {
        return OFERR_OFPFMFC_BAD_COMMAND;
    }
    fm->command = command;
    return OFERR_OK;
}

/* The command field of 1.0's and Nicira's form, where the extension puts the table into the upper byte. */
static enum of_error
decode_command10(uint16_t command, bool table_id_in_command, struct flow_mod *fm)
{
    fm->table_id = table_id_in_command ? (uint8_t) (command >> 8) : OFPTT_ALL;
    return decode_command(table_id_in_command ? command & 0xff : command, fm);
}

/* Before 1.2 what is added has counters of its own. */
static void
imply_reset_counts(struct flow_mod *fm)
{
    fm->flags |= fm->command == OFPFC_ADD ? OFPFF_RESET_COUNTS : 0;
}

static enum of_error
check_flags10(uint16_t flags, struct flow_mod *fm)
{
    fm->flags = flags & (OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP);
    imply_reset_counts(fm);
    if (flags & OFPFF10_EMERG) {
        return OFERR_OFPFMFC_TABLE_FULL; /* There is no emergency flow table. */
    }
    return flags & ~(OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP) ? OFERR_OFPFMFC_BAD_FLAGS : OFERR_OK;
}

static enum of_error
check_flags11(uint16_t flags, enum of_version version, struct flow_mod *fm)
{
    uint16_t known = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP;

    known |= version >= OF12 ? OFPFF_RESET_COUNTS : 0;
    known |= version >= OF13 ? OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS : 0;
    fm->flags = flags & known;
    if (version == OF11) {
        imply_reset_counts(fm);
    }
    return flags & ~known ? OFERR_OFPFMFC_BAD_FLAGS : OFERR_OK;
}

static void
get_port16(struct slice *s, uint32_t *port)
{
    be16 wire = 0;

    slice_get(s, &wire, sizeof wire);
    *port = of_port_from_wire16(wire);
}

#define EXACT_PRIORITY UINT16_MAX /* 1.0.2, section 3.4: flows without a wildcard come first. */
#define OF10_WILD_ALL ((1u << 22) - 1)

static enum of_error
decode_mod10(struct slice s, bool table_id_in_command, struct flow_mod *fm, struct slice *actions)
{
    be32 wild = 0;
    uint16_t command = 0, flags = 0;
    enum of_error error;

    memcpy(&wild, s.data, sizeof wild);
    of_match_pull(&s, OF10, true, &fm->match);
    slice_get_be64(&s, &fm->new_cookie);
    slice_get_be16(&s, &command);
    slice_get_be16(&s, &fm->idle_timeout);
    slice_get_be16(&s, &fm->hard_timeout);
    slice_get_be16(&s, &fm->priority);
    slice_get_be32(&s, &fm->buffer_id);
    get_port16(&s, &fm->out_port);
    slice_get_be16(&s, &flags);
    if (!(ntohl(wild) & OF10_WILD_ALL)) {
        fm->priority = EXACT_PRIORITY;
    }
    fm->out_group = OFPG_ANY;
    *actions = s;
    error = decode_command10(command, table_id_in_command, fm);
    fm->modify_cookie = fm->new_cookie != UINT64_MAX;
    return error ? error : check_flags10(flags, fm);
}

/* A match of 'len' bytes with padding to 8. */
static enum of_error
pull_nxm(struct slice *s, uint16_t len, struct match *m, struct oxm_cookie *cookie)
{
    const uint8_t *p = slice_pull(s, ROUND_UP((size_t) len, 8));

    return p ? oxm_decode(slice_of(p, len), true, m, cookie) : OFERR_OFPBMC_BAD_LEN;
}

static enum of_error
decode_mod_nx(struct slice s, bool table_id_in_command, struct flow_mod *fm, struct slice *actions)
{
    uint16_t command = 0, flags = 0, match_len = 0;
    struct oxm_cookie cookie;
    enum of_error error;

    slice_get_be64(&s, &fm->new_cookie);
    slice_get_be16(&s, &command);
    slice_get_be16(&s, &fm->idle_timeout);
    slice_get_be16(&s, &fm->hard_timeout);
    slice_get_be16(&s, &fm->priority);
    slice_get_be32(&s, &fm->buffer_id);
    get_port16(&s, &fm->out_port);
    slice_get_be16(&s, &flags);
    slice_get_be16(&s, &match_len);
    slice_pull(&s, 6);
    fm->out_group = OFPG_ANY;
    error = pull_nxm(&s, match_len, &fm->match, &cookie);
    *actions = s;
    if (!error) {
        error = decode_command10(command, table_id_in_command, fm);
    }
    if (error) {
        return error;
    }
    if (fm->command == OFPFC_ADD && cookie.mask) {
        return OFERR_NXBRC_NXM_INVALID; /* What is added has a cookie, not a match on one. */
    }
    fm->cookie = cookie.value;
    fm->cookie_mask = cookie.mask;
    fm->modify_cookie = fm->new_cookie != UINT64_MAX;
    return check_flags10(flags, fm);
}

static enum of_error
get_port32(struct slice *s, uint32_t *port)
{
    be32 wire = 0;

    slice_get(s, &wire, sizeof wire);
    return of_port_from_wire32(wire, port) ? OFERR_OK : OFERR_OFPBAC_BAD_OUT_PORT;
}

/* In 1.1 a modify may add a flow, which gets the cookie; later only an add does. None changes that of a flow that is there. */
static void
decode_cookie11(uint64_t cookie, uint64_t mask, enum of_version version, struct flow_mod *fm)
{
    if (fm->command == OFPFC_ADD || (version == OF11 && !mask && (fm->command == OFPFC_MODIFY || fm->command == OFPFC_MODIFY_STRICT))) {
        fm->new_cookie = cookie;
    } else {
        fm->cookie = cookie;
        fm->cookie_mask = mask;
        fm->new_cookie = UINT64_MAX;
    }
}

static enum of_error
decode_mod11(const struct of_msg *m, struct flow_mod *fm, struct slice *instructions)
{
    struct slice s = m->body;
    uint64_t cookie = 0, mask = 0;
    uint8_t command = 0;
    uint16_t flags = 0, importance = 0;
    enum of_error error;

    slice_get_be64(&s, &cookie);
    slice_get_be64(&s, &mask);
    slice_get_u8(&s, &fm->table_id);
    slice_get_u8(&s, &command);
    slice_get_be16(&s, &fm->idle_timeout);
    slice_get_be16(&s, &fm->hard_timeout);
    slice_get_be16(&s, &fm->priority);
    slice_get_be32(&s, &fm->buffer_id);
    if (fm->table_id == OFPTT_ALL && command != OFPFC_DELETE && command != OFPFC_DELETE_STRICT) {
        return OFERR_OFPFMFC_BAD_TABLE_ID; /* 1.3.5, section 7.3.4.1: all tables at once is for deletions. */
    }
    error = decode_command(command, fm);
    if (error) {
        return error;
    }
    fm->out_port = OFPP_ANY;
    error = get_port32(&s, &fm->out_port);
    slice_get_be32(&s, &fm->out_group);
    slice_get_be16(&s, &flags);
    slice_get_be16(&s, &importance);
    fm->importance = m->version >= OF14 ? importance : 0;
    decode_cookie11(cookie, mask, m->version, fm);
    if (!error || fm->command < OFPFC_DELETE) {
        error = of_match_pull(&s, m->version, true, &fm->match);
    }
    *instructions = s;
    return error ? error : check_flags11(flags, m->version, fm);
}

static enum of_error
decode_mod(const struct of_msg *m, bool table_id_in_command, struct flow_mod *fm, struct slice *rest)
{
    switch (m->row) {
    case MSG_FLOW_MOD10:
        return decode_mod10(m->body, table_id_in_command, fm, rest);
    case MSG_NX_FLOW_MOD:
        return decode_mod_nx(m->body, table_id_in_command, fm, rest);
    default:
        return decode_mod11(m, fm, rest);
    }
}

enum of_error
flow_mod_decode(const struct of_msg *m, bool table_id_in_command, struct flow_mod *fm)
{
    struct slice rest;
    enum of_error error;

    memset((char *) fm + offsetof(struct flow_mod, priority), 0, sizeof *fm - offsetof(struct flow_mod, priority));
    error = decode_mod(m, table_id_in_command, fm, &rest);
    if (error) {
        return error;
    }
    if (fm->command < OFPFC_DELETE) {
        fm->out_port = OFPP_ANY;
        fm->out_group = OFPG_ANY;
    } else {
        fm->buffer_id = OFP_NO_BUFFER;
    }
    error = m->version > OF10 ? ofact_decode_instructions(rest, m->version, &fm->actions) : ofact_decode_actions(rest, m->version, &fm->actions);
    fm->strict = m->version > OF10;
    if (error) {
        flow_mod_clear(fm);
    }
    return error;
}

void
flow_mod_clear(struct flow_mod *fm)
{
    buf_free(&fm->actions);
}

static enum of_error
decode_request_nx(struct slice s, struct flow_stats_request *r)
{
    uint16_t match_len = 0;
    struct oxm_cookie cookie;
    enum of_error error;

    get_port16(&s, &r->out_port);
    slice_get_be16(&s, &match_len);
    slice_get_u8(&s, &r->table_id);
    slice_pull(&s, 3);
    error = pull_nxm(&s, match_len, &r->match, &cookie);
    if (!error && s.len) {
        error = OFERR_OFPBRC_BAD_LEN;
    }
    r->cookie = cookie.value;
    r->cookie_mask = cookie.mask;
    r->out_group = OFPG_ANY;
    return error;
}

static enum of_error
decode_request11(const struct of_msg *m, struct flow_stats_request *r)
{
    struct slice s = m->body;
    enum of_error error;

    slice_get_u8(&s, &r->table_id);
    slice_pull(&s, 3);
    error = get_port32(&s, &r->out_port);
    slice_get_be32(&s, &r->out_group);
    slice_pull(&s, 4);
    slice_get_be64(&s, &r->cookie);
    slice_get_be64(&s, &r->cookie_mask);
    return error ? error : of_match_pull(&s, m->version, true, &r->match);
}

enum of_error
flow_stats_request_decode(const struct of_msg *m, struct flow_stats_request *r)
{
    struct slice s = m->body;

    memset(r, 0, sizeof *r);
    r->aggregate = m->op == OP_AGGREGATE;
    if (m->row == MSG_NX_FLOW_REQUEST || m->row == MSG_NX_AGGREGATE_REQUEST) {
        return decode_request_nx(s, r);
    }
    if (m->version > OF10) {
        return decode_request11(m, r);
    }
    of_match_pull(&s, OF10, true, &r->match);
    slice_get_u8(&s, &r->table_id);
    slice_pull(&s, 1);
    get_port16(&s, &r->out_port);
    r->out_group = OFPG_ANY;
    return OFERR_OK;
}

/* Ages are one more than the seconds, so that 0 is "unknown". */
static void
put_age(struct buf *b, int age)
{
    buf_put_be16(b, age < 0 ? 0 : age < UINT16_MAX ? (uint16_t) (age + 1) : UINT16_MAX);
}

static void
put_counters(struct buf *b, uint64_t cookie, uint64_t packets, uint64_t bytes)
{
    buf_put_be64(b, cookie);
    buf_put_be64(b, packets);
    buf_put_be64(b, bytes);
}

static void
put_times(struct buf *b, const struct flow_stats *fs)
{
    buf_put_be32(b, fs->duration_sec);
    buf_put_be32(b, fs->duration_nsec);
    buf_put_be16(b, fs->priority);
    buf_put_be16(b, fs->idle_timeout);
    buf_put_be16(b, fs->hard_timeout);
}

static void
put_nxm(const struct match *m, struct buf *b, size_t len_at)
{
    size_t start = b->len;

    oxm_encode(m, 0, b);
    of_patch16(b, len_at, (uint16_t) (b->len - start));
    buf_put_zeros(b, ROUND_UP(b->len - start, 8) - (b->len - start));
}

static void
encode_stats10(const struct flow_stats *fs, struct buf *b)
{
    of_match_put(&fs->match, OF10, b);
    put_times(b, fs);
    buf_put_zeros(b, 6);
    put_counters(b, fs->cookie, fs->n_packets, fs->n_bytes);
    ofact_encode_actions(fs->actions, fs->actions_len, OF10, b);
}

static void
encode_stats_nx(const struct flow_stats *fs, enum of_version version, struct buf *b)
{
    size_t len_at;

    put_times(b, fs);
    len_at = b->len;
    buf_put_be16(b, 0);
    put_age(b, fs->idle_age);
    put_age(b, fs->hard_age);
    put_counters(b, fs->cookie, fs->n_packets, fs->n_bytes);
    put_nxm(&fs->match, b, len_at);
    ofact_encode_actions(fs->actions, fs->actions_len, version, b);
}

static void
encode_stats11(const struct flow_stats *fs, enum of_version version, struct buf *b)
{
    put_times(b, fs);
    buf_put_be16(b, version >= OF13 ? fs->flags & 0x1f : 0);
    buf_put_be16(b, version >= OF14 ? fs->importance : 0);
    buf_put_zeros(b, 2);
    put_counters(b, fs->cookie, fs->n_packets, fs->n_bytes);
    of_match_put_oxm(&fs->match, version, b);
    ofact_encode_instructions(fs->actions, fs->actions_len, version, b);
}

/* Statistics of 1.5 are TLVs: class 0x8002, field and length; 1.5.1, section 7.2.4.2. */
enum { OXS_DURATION, OXS_IDLE_TIME, OXS_FLOW_COUNT = 3, OXS_PACKET_COUNT, OXS_BYTE_COUNT };
#define OXS_CLASS 0x8002

static void
put_oxs64(struct buf *b, uint8_t field, uint64_t value)
{
    buf_put_be16(b, OXS_CLASS);
    buf_put_u8(b, (uint8_t) (field << 1));
    buf_put_u8(b, 8);
    buf_put_be64(b, value);
}

static void
put_oxs_counts(struct buf *b, uint64_t packets, uint64_t bytes)
{
    put_oxs64(b, OXS_PACKET_COUNT, packets);
    put_oxs64(b, OXS_BYTE_COUNT, bytes);
}

/* Seconds above nanoseconds. */
static void
put_oxs_time(struct buf *b, uint8_t field, uint32_t sec, uint32_t nsec)
{
    put_oxs64(b, field, (uint64_t) sec << 32 | nsec);
}

static size_t
begin_oxs(struct buf *b)
{
    buf_put_zeros(b, 4);
    return b->len - 4;
}

static void
end_oxs(struct buf *b, size_t start)
{
    size_t len = b->len - start;

    of_patch16(b, start + 2, (uint16_t) len);
    buf_put_zeros(b, ROUND_UP(len, 8) - len);
}

static void
encode_stats15(const struct flow_stats *fs, struct buf *b)
{
    size_t start;

    buf_put_zeros(b, 2);
    buf_put_u8(b, fs->table_id);
    buf_put_u8(b, 0);
    buf_put_be16(b, fs->priority);
    buf_put_be16(b, fs->idle_timeout);
    buf_put_be16(b, fs->hard_timeout);
    buf_put_be16(b, fs->flags & 0x1f);
    buf_put_be16(b, fs->importance);
    buf_put_be64(b, fs->cookie);
    of_match_put(&fs->match, OF15, b);
    start = begin_oxs(b);
    put_oxs_time(b, OXS_DURATION, fs->duration_sec, fs->duration_nsec);
    if (fs->idle_age >= 0) {
        put_oxs_time(b, OXS_IDLE_TIME, (uint32_t) fs->idle_age, 0);
    }
    put_oxs_counts(b, fs->n_packets, fs->n_bytes);
    end_oxs(b, start);
    ofact_encode_instructions(fs->actions, fs->actions_len, OF15, b);
}

void
flow_stats_encode(struct of_multipart *mp, const struct flow_stats *fs)
{
    struct buf *b = mp->out;
    size_t start;

    of_multipart_entry_begin(mp);
    start = b->len;
    buf_put_be16(b, 0);
    if (mp->row != MSG_FLOW_REPLY11 || mp->version < OF15) {
        buf_put_u8(b, fs->table_id);
        buf_put_u8(b, 0);
    }
    if (mp->row == MSG_NX_FLOW_REPLY) {
        encode_stats_nx(fs, mp->version, b);
    } else if (mp->version >= OF15) {
        encode_stats15(fs, b);
    } else if (mp->version == OF10) {
        encode_stats10(fs, b);
    } else {
        encode_stats11(fs, mp->version, b);
    }
    of_patch16(b, start, (uint16_t) (b->len - start));
    of_multipart_entry_end(mp);
}

void
aggregate_stats_encode(const struct aggregate_stats *as, const struct of_msg *request, struct buf *b)
{
    enum msg_row row = request->row == MSG_NX_AGGREGATE_REQUEST ? MSG_NX_AGGREGATE_REPLY : MSG_AGGREGATE_REPLY;
    size_t start = of_msg_begin(b, row, request->version, request->xid);

    if (row == MSG_AGGREGATE_REPLY && request->version >= OF15) {
        size_t oxs = begin_oxs(b);

        put_oxs_counts(b, as->n_packets, as->n_bytes);
        buf_put_be16(b, OXS_CLASS);
        buf_put_u8(b, OXS_FLOW_COUNT << 1);
        buf_put_u8(b, 4);
        buf_put_be32(b, as->n_flows);
        end_oxs(b, oxs);
    } else {
        buf_put_be64(b, as->n_packets);
        buf_put_be64(b, as->n_bytes);
        buf_put_be32(b, as->n_flows);
        buf_put_zeros(b, 4);
    }
    of_msg_end(b, start);
}

static void
put_removed_nx(const struct flow_removed *fr, struct buf *b)
{
    size_t len_at;

    buf_put_be64(b, fr->cookie);
    buf_put_be16(b, fr->priority);
    buf_put_u8(b, fr->reason);
    buf_put_u8(b, (uint8_t) (fr->table_id + 1));
    buf_put_be32(b, fr->duration_sec);
    buf_put_be32(b, fr->duration_nsec);
    buf_put_be16(b, fr->idle_timeout);
    len_at = b->len;
    buf_put_be16(b, 0);
    buf_put_be64(b, fr->n_packets);
    buf_put_be64(b, fr->n_bytes);
    put_nxm(&fr->match, b, len_at);
}

static void
put_removed10(const struct flow_removed *fr, struct buf *b)
{
    of_match_put(&fr->match, OF10, b);
    buf_put_be64(b, fr->cookie);
    buf_put_be16(b, fr->priority);
    buf_put_u8(b, fr->reason);
    buf_put_u8(b, 0);
    buf_put_be32(b, fr->duration_sec);
    buf_put_be32(b, fr->duration_nsec);
    buf_put_be16(b, fr->idle_timeout);
    buf_put_zeros(b, 2);
    buf_put_be64(b, fr->n_packets);
    buf_put_be64(b, fr->n_bytes);
}

static void
put_removed11(const struct flow_removed *fr, enum of_version version, struct buf *b)
{
    buf_put_be64(b, fr->cookie);
    buf_put_be16(b, fr->priority);
    buf_put_u8(b, fr->reason);
    buf_put_u8(b, fr->table_id);
    buf_put_be32(b, fr->duration_sec);
    buf_put_be32(b, fr->duration_nsec);
    buf_put_be16(b, fr->idle_timeout);
    buf_put_be16(b, version >= OF12 ? fr->hard_timeout : 0);
    buf_put_be64(b, fr->n_packets);
    buf_put_be64(b, fr->n_bytes);
    of_match_put(&fr->match, version, b);
}

static void
put_removed15(const struct flow_removed *fr, struct buf *b)
{
    size_t start;

    buf_put_u8(b, fr->table_id);
    buf_put_u8(b, fr->reason);
    buf_put_be16(b, fr->priority);
    buf_put_be16(b, fr->idle_timeout);
    buf_put_be16(b, fr->hard_timeout);
    buf_put_be64(b, fr->cookie);
    of_match_put(&fr->match, OF15, b);
    start = begin_oxs(b);
    put_oxs_time(b, OXS_DURATION, fr->duration_sec, fr->duration_nsec);
    put_oxs_counts(b, fr->n_packets, fr->n_bytes);
    end_oxs(b, start);
}

void
flow_removed_encode(const struct flow_removed *fr, enum of_version version, bool nxm, struct buf *b)
{
    size_t start = of_msg_begin(b, version == OF10 && nxm ? MSG_NX_FLOW_REMOVED : MSG_FLOW_REMOVED, version, 0);

    if (version >= OF15) {
        put_removed15(fr, b);
    } else if (version > OF10) {
        put_removed11(fr, version, b);
    } else if (nxm) {
        put_removed_nx(fr, b);
    } else {
        put_removed10(fr, b);
    }
    of_msg_end(b, start);
}
