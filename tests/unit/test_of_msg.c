// SPDX-License-Identifier: Apache-2.0
// Messages: framing, headers, errors, multipart replies that are cut, and bodies in every version.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/of/body.h"

static void
test_framing(void **state)
{
    const uint8_t hello[] = {4, 0, 0, 8, 0, 0, 0, 1}, nonsense[] = {4, 0, 0, 7, 0, 0, 0, 1};

    (void) state;
    assert_int_equal(of_msg_length(slice_of(hello, 3)), 0);
    assert_int_equal(of_msg_length(slice_of(hello, 8)), 8);
    assert_int_equal(of_msg_length(slice_of(nonsense, 8)), -EPROTO);
}

/* Every row: what begins with its headers is found to be that row again. */
static void
test_rows(void **state)
{
    static const struct {
        enum msg_row row;
        uint8_t first, last;
    } rows[] = {
#define MSG(ROW, OP, NAME, FORM, FIRST, LAST, TYPE, MIN, LENGTH) {MSG_##ROW, FIRST, LAST},
#include "lib/of/msg.def"
#undef MSG
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int v = rows[i].first; v <= rows[i].last; v++) {
            struct buf b = BUF_EMPTY;
            size_t start = of_msg_begin(&b, rows[i].row, (enum of_version) v, htonl(7));
            struct of_msg m;
            enum of_error error;

            buf_put_zeros(&b, 1056);
            of_msg_end(&b, start);
            error = of_msg_parse(slice_of(b.data, b.len), &m);
            assert_true(!error || error == OFERR_OFPBRC_BAD_LEN); /* Some want another length. */
            assert_int_equal(m.row, rows[i].row);
            assert_int_equal(m.xid, htonl(7));
            buf_free(&b);
        }
    }
}

static enum of_error
parse_bytes(const uint8_t *bytes, size_t n)
{
    struct of_msg m;

    return of_msg_parse(slice_of(bytes, n), &m);
}

static void
test_header_errors(void **state)
{
    const uint8_t version[] = {9, 0, 0, 8, 0, 0, 0, 0}, type[] = {4, 99, 0, 8, 0, 0, 0, 0}, length[] = {4, 5, 0, 9, 0, 0, 0, 0, 0},
                  vendor[] = {1, 4, 0, 16, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1}, subtype[] = {1, 4, 0, 16, 0, 0, 0, 0, 0, 0, 0x23, 0x20, 0, 0, 9, 9},
                  stat[] = {1, 16, 0, 12, 0, 0, 0, 0, 0, 99, 0, 0}, cut[] = {1, 16, 0, 10, 0, 0, 0, 0, 0, 0};

    (void) state;
    assert_int_equal(parse_bytes(version, sizeof version), OFERR_OFPBRC_BAD_VERSION);
    assert_int_equal(parse_bytes(type, sizeof type), OFERR_OFPBRC_BAD_TYPE);
    assert_int_equal(parse_bytes(length, sizeof length), OFERR_OFPBRC_BAD_LEN);
    assert_int_equal(parse_bytes(vendor, sizeof vendor), OFERR_OFPBRC_BAD_VENDOR);
    assert_int_equal(parse_bytes(subtype, sizeof subtype), OFERR_OFPBRC_BAD_SUBTYPE);
    assert_int_equal(parse_bytes(stat, sizeof stat), OFERR_OFPBRC_BAD_STAT);
    assert_int_equal(parse_bytes(cut, sizeof cut), OFERR_OFPBRC_BAD_LEN);
}

static void
test_hello(void **state)
{
    const uint8_t old[] = {2, 0, 0, 8, 0, 0, 0, 1}, cut[] = {4, 0, 0, 12, 0, 0, 0, 1, 0, 1, 0, 99};
    struct buf b = BUF_EMPTY;

    (void) state;
    hello_encode(OF_VERSIONS_ALL, &b);
    assert_int_equal(b.len, 8); /* No gap: the header says it all. */
    for (uint32_t versions = 2; versions <= OF_VERSIONS_ALL; versions += 2) {
        buf_clear(&b);
        hello_encode(versions, &b);
        assert_int_equal(hello_decode(slice_of(b.data, b.len)), versions);
    }
    assert_int_equal(hello_decode(slice_of(old, sizeof old)), 1u << OF10 | 1u << OF11);
    assert_int_equal(hello_decode(slice_of(cut, sizeof cut)), 1u << OF10 | 1u << OF11 | 1u << OF12 | 1u << OF13);
    buf_free(&b);
}

/* An error in the three ways it is said: vendor's, experimenter's, and not at all. */
static void
test_error_numbers(void **state)
{
    struct of_error_code code;
    struct buf b = BUF_EMPTY;

    (void) state;
    assert_true(of_error_code(OFERR_OFPFMFC_OVERLAP, OF10, &code));
    assert_true(!code.vendor && code.type == 3 && code.code == 1);
    assert_true(of_error_code(OFERR_OFPFMFC_OVERLAP, OF13, &code));
    assert_true(!code.vendor && code.type == 5 && code.code == 3);
    assert_true(of_error_code(OFERR_OFPBMC_BAD_PREREQ, OF10, &code));
    assert_true(code.vendor == OF_VENDOR_NX && code.type == 1 && code.code == 260);
    assert_false(of_error_code(OFERR_OFPRRFC_STALE, OF10, &code));
    error_encode(OFERR_OFPRRFC_STALE, OF10, 5, slice_of("request", 7), &b);
    assert_int_equal(b.len, 8 + 12 + 7);
    assert_memory_equal(b.data + 8, "\xb0\xc2\0\0\0\0\x23\x20\0\1\x02\x09request", 19);
    assert_string_equal(of_error_name(OFERR_OFPBMC_BAD_PREREQ), "OFPBMC_BAD_PREREQ");
    buf_free(&b);
}

/* Many flows: each message is whole, below 64 kB, and all but the last say that there is more. */
static void
test_multipart(void **state)
{
    struct flow_stats fs = {.idle_age = -1, .hard_age = -1};
    struct of_multipart mp;
    struct buf b = BUF_EMPTY;
    struct slice s;
    unsigned n_messages = 0;

    (void) state;
    match_init_any(&fs.match);
    of_multipart_begin(&mp, &b, MSG_FLOW_REPLY11, OF13, 3);
    for (unsigned i = 0; i < 5000; i++) {
        flow_stats_encode(&mp, &fs);
    }
    of_multipart_end(&mp, false);
    for (s = slice_of(b.data, b.len); s.len; n_messages++) {
        int length = of_msg_length(s);
        struct of_msg m;

        assert_true(length > 0 && (size_t) length <= s.len);
        assert_int_equal(of_msg_parse(slice_of(slice_pull(&s, (size_t) length), (size_t) length), &m), OFERR_OK);
        assert_int_equal(m.stats_flags, s.len ? OFPMPF_MORE : 0);
        assert_int_equal(m.body.len % 56, 0);
    }
    assert_int_equal(n_messages, DIV_ROUND_UP(5000, 65519 / 56));
    buf_free(&b);
}

/* What would not fit a message is left out whole. */
static void
test_entry_too_long(void **state)
{
    struct flow_stats fs = {.idle_age = -1, .hard_age = -1};
    struct of_multipart mp;
    struct buf b = BUF_EMPTY, list = BUF_EMPTY;

    (void) state;
    match_init_any(&fs.match);
    for (unsigned i = 0; i < 9000; i++) {
        ofact_put(&list, OFACT_EXIT, sizeof(struct ofact_empty));
    }
    fs.actions = list.data;
    fs.actions_len = list.len;
    of_multipart_begin(&mp, &b, MSG_FLOW_REPLY10, OF10, 3);
    flow_stats_encode(&mp, &fs);
    of_multipart_end(&mp, false);
    assert_int_equal(b.len, 12);
    buf_free(&b);
    buf_free(&list);
}


/* A flow_mod of 1.3: ADD to table 3, priority 9, flags and cookie, no match, goto_table:5. */
static void
test_flow_mod(void **state)
{
    struct buf b = BUF_EMPTY;
    size_t start = of_msg_begin(&b, MSG_FLOW_MOD11, OF13, 1);
    struct flow_mod fm;
    struct of_msg m;

    (void) state;
    buf_put_be64(&b, 0x77);
    buf_put_be64(&b, 0);
    buf_put_u8(&b, 3);
    buf_put_u8(&b, OFPFC_ADD);
    buf_put_be16(&b, 10);
    buf_put_be16(&b, 20);
    buf_put_be16(&b, 9);
    buf_put_be32(&b, OFP_NO_BUFFER);
    buf_put_be32(&b, 0);
    buf_put_be32(&b, 0);
    buf_put_be16(&b, OFPFF_SEND_FLOW_REM);
    buf_put_be16(&b, 99);
    buf_put(&b, "\0\1\0\4\0\0\0\0", 8);
    buf_put(&b, "\0\1\0\10\5\0\0\0", 8);
    of_msg_end(&b, start);
    assert_int_equal(of_msg_parse(slice_of(b.data, b.len), &m), OFERR_OK);
    assert_int_equal(flow_mod_decode(&m, false, &fm), OFERR_OK);
    assert_int_equal(fm.table_id, 3);
    assert_int_equal(fm.priority, 9);
    assert_int_equal(fm.new_cookie, 0x77);
    assert_int_equal(fm.flags, OFPFF_SEND_FLOW_REM);
    assert_int_equal(fm.importance, 0); /* Of 1.4 only. */
    assert_int_equal(fm.out_port, OFPP_ANY);
    assert_int_equal(((struct ofact_goto *) (void *) fm.actions.data)->table_id, 5);
    flow_mod_clear(&fm);
    b.data[8 + 41] = 9; /* A type of match that there is not. */
    assert_int_equal(flow_mod_decode(&m, false, &fm), OFERR_OFPBMC_BAD_TYPE);
    assert_null(fm.actions.data);
    buf_free(&b);
}

/* All forms fit the message that says their length; the longest frame is cut. */
static void
test_packet_in(void **state)
{
    static uint8_t frame[UINT16_MAX];
    const uint8_t userdata[] = {1, 2, 3};
    struct packet_in pin = {.data = slice_of(frame, 1000), .reason = OFPR_ACTION, .table_id = 4, .cookie = 0x1234};

    (void) state;
    pin.userdata = slice_of(userdata, sizeof userdata);
    pin.key.in_port = 3;
    pin.key.regs[2] = 5;
    for (int v = OF10; v <= OF15; v++) {
        for (int format = PACKET_IN_STD; format <= PACKET_IN_NXT2; format++) {
            for (int whole = 0; whole < 2; whole++) {
                struct buf b = BUF_EMPTY;
                struct of_msg m;

                pin.data.len = whole ? sizeof frame : 1000;
                packet_in_encode(&pin, (enum of_version) v, (enum packet_in_format) format, &b);
                assert_int_equal(of_msg_parse(slice_of(b.data, b.len), &m), OFERR_OK);
                assert_true(whole ? b.len > 60000 : b.len > 1000 && b.len < 1200);
                buf_free(&b);
            }
        }
    }
}

static void
test_ports(void **state)
{
    static const size_t port_len[] = {[OF10] = 48, [OF11] = 64, [OF12] = 64, [OF13] = 64, [OF14] = 72, [OF15] = 72};
    static const size_t stats_len[] = {[OF10] = 104, [OF11] = 104, [OF12] = 104, [OF13] = 112, [OF14] = 120, [OF15] = 120};
    struct of_port port = {.number = OFPP_LOCAL, .name = "a-name-that-is-too-long"};
    struct of_port_stats stats = {.number = 1};

    (void) state;
    for (int v = OF10; v <= OF15; v++) {
        struct buf b = BUF_EMPTY;

        of_port_encode(&port, (enum of_version) v, &b);
        assert_int_equal(b.len, port_len[v]);
        assert_null(memchr(b.data, 'o', b.len) && memmem(b.data, b.len, "too-long", 8) ? b.data : NULL);
        buf_clear(&b);
        port_stats_encode(&stats, (enum of_version) v, &b);
        assert_int_equal(b.len, stats_len[v]);
        buf_free(&b);
    }
}

static void
test_async(void **state)
{
    struct buf b = BUF_EMPTY;
    struct of_async a = {{1, 2}, {3, 4}, {5, 6}}, got = {{0, 0}, {0, 0}, {0, 0}};
    struct of_msg m;

    (void) state;
    for (int v = OF13; v <= OF15; v++) {
        buf_clear(&b);
        of_msg_end(&b, of_msg_begin(&b, MSG_GET_ASYNC_REQUEST, (enum of_version) v, 1));
        assert_int_equal(of_msg_parse(slice_of(b.data, b.len), &m), OFERR_OK);
        m.whole = slice_of(NULL, 0);
        buf_clear(&b);
        async_reply_encode(&a, &m, &b);
        b.data[1] = 28; /* The same body sets it. */
        assert_int_equal(of_msg_parse(slice_of(b.data, b.len), &m), OFERR_OK);
        assert_int_equal(async_decode(&m, &got), OFERR_OK);
        assert_memory_equal(&a, &got, sizeof a);
    }
    buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),   cmocka_unit_test(test_rows),      cmocka_unit_test(test_header_errors),  cmocka_unit_test(test_hello),
        cmocka_unit_test(test_error_numbers), cmocka_unit_test(test_multipart), cmocka_unit_test(test_entry_too_long), cmocka_unit_test(test_flow_mod),
        cmocka_unit_test(test_packet_in), cmocka_unit_test(test_ports),     cmocka_unit_test(test_async),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
