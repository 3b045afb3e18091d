// SPDX-License-Identifier: Apache-2.0
// The replica over updates as RFC 7047 and ovsdb-server(7) write them; desired structs out of rows; the client against a server that we play ourselves.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/jsonrpc.h"
#include "lib/ovsdb/ovsdb.h"
#include "vswitchd/desired.h"
#include "vswitchd/tables.h"

#define U1 "00000000-0000-0000-0000-000000000001"
#define U2 "00000000-0000-0000-0000-000000000002"
#define U3 "00000000-0000-0000-0000-000000000003"
#define U4 "00000000-0000-0000-0000-000000000004"
#define U5 "00000000-0000-0000-0000-000000000005"
#define U6 "00000000-0000-0000-0000-000000000006"

static const char schema_text[] =
    "{'name':'Open_vSwitch','tables':{"
    "'Open_vSwitch':{'columns':{'bridges':{'type':{'key':{'type':'uuid'},'min':0,'max':'unlimited'}},'next_cfg':{'type':'integer'},"
    "'other_config':{'type':{'key':'string','value':'string','min':0,'max':'unlimited'}}}},"
    "'Bridge':{'columns':{'name':{'type':'string'},'ports':{'type':{'key':{'type':'uuid'},'min':0,'max':'unlimited'}},"
    "'fail_mode':{'type':{'key':'string','min':0,'max':1}},"
    "'other_config':{'type':{'key':'string','value':'string','min':0,'max':'unlimited'}}}},"
    "'Port':{'columns':{'name':{'type':'string'},'interfaces':{'type':{'key':{'type':'uuid'},'min':1,'max':'unlimited'}},"
    "'tag':{'type':{'key':'integer','min':0,'max':1}},'trunks':{'type':{'key':'integer','min':0,'max':4096}},"
    "'vlan_mode':{'type':{'key':'string','min':0,'max':1}}}},"
    "'Interface':{'columns':{'name':{'type':'string'},'type':{'type':'string'},"
    "'options':{'type':{'key':'string','value':'string','min':0,'max':'unlimited'}}}}}}";

/* JSON with single quotes for double ones. */
static json_t *
json(const char *text)
{
    char *copy = xstrdup(text);
    json_t *value;

    for (char *c = copy; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    value = json_loads(copy, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    free(copy);
    return value;
}

static void
replica_make(struct ovsdb_replica *r)
{
    json_t *schema = json(schema_text);

    *r = (struct ovsdb_replica){0};
    assert_int_equal(replica_init(r, schema, vswitch_tables, n_vswitch_tables), 0);
    json_decref(schema);
}

static int
apply2(struct ovsdb_replica *r, const char *text)
{
    json_t *updates = json(text);
    int error = replica_apply_updates2(r, updates);

    json_decref(updates);
    return error;
}

static void
test_canonical_form(void **state)
{
    static const struct {
        const char *wire, *canonical;
        struct ovsdb_type type;
    } cases[] = {
        {"5", "[5]", {false, true}},
        {"['set',[]]", "[]", {false, true}},
        {"['set',['a','b']]", "['a','b']", {false, false}},
        {"['uuid','" U1 "']", "['" U1 "']", {false, false}},
        {"['set',[['uuid','" U1 "'],['uuid','" U2 "']]]", "['" U1 "','" U2 "']", {false, false}},
        {"['map',[['k','v'],[3,'w']]]", "{'k':'v','3':'w'}", {true, false}},
        {"['set',5]", NULL, {false, false}},
        {"['uuid','nonsense']", NULL, {false, false}},
        {"['map',[['k']]]", NULL, {true, false}},
        {"['map',[[true,'v']]]", NULL, {true, false}},
        {"{}", NULL, {false, false}},
        {"null", NULL, {false, true}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *wire = json(cases[i].wire);
        json_t *got = datum_from_wire(wire, cases[i].type);
        json_t *expected = cases[i].canonical ? json(cases[i].canonical) : NULL;

        assert_true(expected ? json_equal(got, expected) : !got);
        json_decref(wire);
        json_decref(got);
        json_decref(expected);
    }
}

static void
test_differences(void **state)
{
    static const struct {
        const char *old, *diff, *result;
        struct ovsdb_type type;
    } cases[] = {
        {"[1]", "2", "[2]", {false, true}},
        {"[1]", "['set',[]]", "[]", {false, true}},
        {"[1,2,3]", "['set',[2,4]]", "[1,3,4]", {false, false}},
        {"['" U1 "']", "['uuid','" U1 "']", "[]", {false, false}},
        {"{'a':'1','b':'2'}", "['map',[['a','1'],['b','3'],['c','4']]]", "{'b':'3','c':'4'}", {true, false}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *old = json(cases[i].old), *diff = json(cases[i].diff), *expected = json(cases[i].result);
        json_t *got = datum_apply_diff(old, diff, cases[i].type);

        assert_true(json_equal(got, expected));
        json_decref(old);
        json_decref(diff);
        json_decref(expected);
        json_decref(got);
    }
}

static void
test_updates(void **state)
{
    struct ovsdb_replica r;
    struct ovsdb_row *row;
    uint64_t seq;

    replica_make(&r);
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'initial':{'name':'br0','fail_mode':'secure','unknown':7}}},'Nonsense':{'x':{}}}"), 0);
    row = replica_row(replica_table(&r, "Bridge"), U1);
    assert_non_null(row);
    assert_string_equal(row_string(row, "name"), "br0");
    assert_string_equal(row_string(row, "fail_mode"), "secure");
    assert_int_equal(row_count(row, "ports"), 0);

    seq = row->seq;
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'modify':{'other_config':['map',[['mac-aging-time','60']]]}}}}"), 0);
    assert_true(row->seq > seq);
    assert_string_equal(row_map(row, "other_config", "mac-aging-time"), "60");

    /* What cannot be understood changes nothing. */
    seq = row->seq;
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'modify':{'name':{}}}}}"), -EPROTO);
    assert_int_equal(apply2(&r, "{'Bridge':{'" U2 "':{'modify':{'name':'x'}}}}"), -EPROTO);
    assert_int_equal(apply2(&r, "{'Bridge':{'nonsense':{'insert':{}}}}"), -EPROTO);
    assert_int_equal(apply2(&r, "{'Bridge':5}"), -EPROTO);
    assert_int_equal(apply2(&r, "[]"), -EPROTO);
    assert_true(row->seq == seq);
    assert_string_equal(row_string(row, "name"), "br0");

    seq = r.seq;
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'delete':true}}}"), 0);
    assert_null(replica_row(replica_table(&r, "Bridge"), U1));
    assert_true(r.seq > seq);
    replica_destroy(&r);
}

static void
test_snapshot(void **state)
{
    struct ovsdb_replica r;
    uint64_t seq;

    replica_make(&r);
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'initial':{'name':'a'}},'" U2 "':{'initial':{'name':'b'}}}}"), 0);
    seq = replica_row(replica_table(&r, "Bridge"), U1)->seq;
    replica_snapshot_begin(&r);
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'initial':{'name':'a'}},'" U3 "':{'initial':{'name':'c'}}}}"), 0);
    replica_snapshot_end(&r);
    assert_true(replica_row(replica_table(&r, "Bridge"), U1)->seq == seq); /* The same contents: untouched. */
    assert_null(replica_row(replica_table(&r, "Bridge"), U2));
    assert_non_null(replica_row(replica_table(&r, "Bridge"), U3));
    replica_destroy(&r);
}

/* The UUIDs' last digits of what changed in the table after 'since', by the order of the changes. */
static const char *
changed_rows(const struct ovsdb_replica *r, const char *table, uint64_t since)
{
    static char digits[20];
    size_t n = 0;

    for (struct ovsdb_row *row = NULL; n < sizeof digits - 1 && (row = replica_next_changed(replica_table(r, table), row, since));) {
        digits[n++] = row->uuid[35];
    }
    digits[n] = '\0';
    return digits;
}

static const char *
gone_rows(const struct ovsdb_replica *r)
{
    static char digits[20];
    size_t n = 0;

    for (const struct ovsdb_row *row = NULL; n < sizeof digits - 1 && (row = replica_next_gone(r, row));) {
        digits[n++] = row->uuid[35];
    }
    digits[n] = '\0';
    return digits;
}

static void
test_changes(void **state)
{
    struct ovsdb_replica r;
    uint64_t since;

    replica_make(&r);
    assert_string_equal(changed_rows(&r, "Port", 0), "");
    assert_int_equal(apply2(&r, "{'Interface':{'" U1 "':{'initial':{'name':'a'}},'" U2 "':{'initial':{'name':'b'}},'" U3 "':{'initial':{'name':'c'}}}}"), 0);
    since = r.seq;
    assert_string_equal(changed_rows(&r, "Interface", since), "");
    assert_int_equal(apply2(&r, "{'Interface':{'" U2 "':{'modify':{'type':'tap'}}}}"), 0);
    assert_int_equal(apply2(&r, "{'Interface':{'" U1 "':{'modify':{'type':'patch'}}}}"), 0);
    assert_string_equal(changed_rows(&r, "Interface", since), "21");
    assert_int_equal(apply2(&r, "{'Interface':{'" U2 "':{'modify':{'type':'tap'}},'" U3 "':{'delete':true}}}"), 0); /* Nothing new for the first. */
    assert_string_equal(changed_rows(&r, "Interface", since), "21");
    assert_string_equal(gone_rows(&r), "3");
    assert_string_equal(row_string(replica_next_gone(&r, NULL), "name"), "c");
    replica_forget_gone(&r);
    assert_string_equal(gone_rows(&r), "");
    replica_destroy(&r);
}

/* The row's owner by the last digit of its UUID; '-': none. */
static char
owner_of(const struct ovsdb_replica *r, const char *table, const char *uuid)
{
    const struct ovsdb_row *row = replica_row(replica_table(r, table), uuid), *owner = row_owner(row);

    return owner ? owner->uuid[35] : '-';
}

static void
test_owners(void **state)
{
    struct ovsdb_replica r;
    struct ovsdb_row *bridge, *other;
    uint64_t since;

    replica_make(&r);
    /* In whatever order they come. */
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'initial':{'name':'br0','ports':['set',[['uuid','" U2 "'],['uuid','" U3 "']]]}},'" U6
                                "':{'initial':{'name':'br1'}}},'Port':{'" U2 "':{'initial':{'name':'p','interfaces':['uuid','" U4 "']}},'" U3
                                "':{'initial':{'name':'q'}}},'Interface':{'" U4 "':{'initial':{'name':'p'}}}}"), 0);
    bridge = replica_row(replica_table(&r, "Bridge"), U1);
    other = replica_row(replica_table(&r, "Bridge"), U6);
    assert_int_equal(owner_of(&r, "Port", U2), '1');
    assert_int_equal(owner_of(&r, "Port", U3), '1');
    assert_int_equal(owner_of(&r, "Interface", U4), '2');
    assert_int_equal(owner_of(&r, "Bridge", U1), '-');
    assert_int_equal(bridge->n_owned, 2);
    assert_string_equal(row_next_owned(bridge, row_next_owned(bridge, NULL))->uuid, U3);
    assert_null(row_next_owned(bridge, row_next_owned(bridge, row_next_owned(bridge, NULL))));

    /* One more, and one that goes elsewhere: those two have changed, not the one that stays. */
    since = r.seq;
    assert_int_equal(apply2(&r, "{'Port':{'" U5 "':{'insert':{'name':'r'}}},'Bridge':{'" U1 "':{'modify':{'ports':['set',[['uuid','" U5 "'],['uuid','" U3
                                "']]]}},'" U6 "':{'modify':{'ports':['uuid','" U3 "']}}}}"), 0);
    assert_int_equal(owner_of(&r, "Port", U3), '6');
    assert_int_equal(owner_of(&r, "Port", U5), '1');
    assert_int_equal(bridge->n_owned, 2);
    assert_string_equal(changed_rows(&r, "Port", since), "53");
    assert_string_equal(changed_rows(&r, "Bridge", since), "16");

    /* A whole row: what it does not name it has no more. */
    since = r.seq;
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'initial':{'name':'br0','ports':['uuid','" U2 "']}},'" U6 "':{'initial':{'name':'br1'}}}}"), 0);
    assert_int_equal(owner_of(&r, "Port", U5), '-');
    assert_int_equal(other->n_owned, 0);
    assert_string_equal(changed_rows(&r, "Port", since), "53");

    /* An owner that goes. */
    since = r.seq;
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'delete':true}}}"), 0);
    assert_int_equal(owner_of(&r, "Port", U2), '-');
    assert_string_equal(changed_rows(&r, "Port", since), "2");
    assert_int_equal(apply2(&r, "{'Bridge':{'" U6 "':{'modify':{'ports':5}}}}"), 0); /* No UUID: names nothing. */
    assert_int_equal(apply2(&r, "{'Bridge':{'" U6 "':{'modify':{'ports':{}}}}}"), -EPROTO);
    replica_destroy(&r);
}

static void
test_desired(void **state)
{
    static const struct {
        const char *text;
        uint32_t taken;
    } bad_numbers[] = {{"", 300}, {"x", 300}, {"14", 15}, {"3601", 3600}, {"99999999999999999999", 300}};
    struct ovsdb_replica r;
    struct ovsdb_row *bridge, *port, *interface;
    struct desired_bridge d;
    struct desired_port p;
    char *why;

    replica_make(&r);
    assert_int_equal(apply2(&r, "{'Bridge':{'" U1 "':{'initial':{'name':'br0','other_config':['map',[['datapath-id','00000000000000ab'],"
                                "['hwaddr','02:00:00:00:00:01'],['mac-aging-time','60']]]}}},"
                                "'Port':{'" U2 "':{'initial':{'name':'p','interfaces':['uuid','" U3 "'],'tag':7,'trunks':['set',[1,4095]]}}},"
                                "'Interface':{'" U3 "':{'initial':{'name':'p','type':'','options':['map',[['peer','q']]]}}}}"),
                     0);
    bridge = replica_row(replica_table(&r, "Bridge"), U1);
    port = replica_row(replica_table(&r, "Port"), U2);
    interface = replica_row(replica_table(&r, "Interface"), U3);

    desired_bridge_init(&d, bridge, &r);
    assert_true(d.has_datapath_id && d.config.datapath_id == 0xab);
    assert_true(d.has_hwaddr && eth_addr_u64(d.config.hwaddr) == UINT64_C(0x020000000001));
    assert_int_equal(d.config.mac_aging_s, 60);
    assert_false(d.config.fail_secure);
    desired_bridge_destroy(&d);

    for (size_t i = 0; i < ARRAY_SIZE(bad_numbers); i++) {
        json_object_set_new((json_t *) row_datum(bridge, "other_config"), "mac-aging-time", json_string(bad_numbers[i].text));
        desired_bridge_init(&d, bridge, &r);
        assert_int_equal(d.config.mac_aging_s, bad_numbers[i].taken);
        desired_bridge_destroy(&d);
    }

    why = desired_port_init(&p, port, interface, "br0");
    assert_null(why);
    assert_int_equal(p.config.vlan_mode, VLAN_ACCESS);
    assert_int_equal(p.config.vlan_tag, 7);
    assert_true(p.config.trunks && p.trunks[0] == 2 && p.trunks[VLAN_BITMAP_WORDS - 1] == 1ul << 63);
    assert_string_equal(p.config.patch_peer, "q");
    replica_destroy(&r);
}

/* A server that answers as a script says. */
struct fake {
    struct loop *loop;
    struct stream_listener *listener;
    struct jsonrpc *rpc;
    struct ovsdb *db;
    bool lacks_since;     /* monitor_cond_since is unknown to it. */
    unsigned n_connections, n_transactions;
};

static void
fake_received(struct jsonrpc *rpc, struct jsonrpc_msg *m, void *fake_)
{
    struct fake *f = fake_;

    if (m->type != JSONRPC_REQUEST) {
        return;
    }
    if (!strcmp(m->method, "get_schema")) {
        jsonrpc_reply(rpc, json(schema_text), json_incref(m->id));
    } else if (!strcmp(m->method, "lock")) {
        jsonrpc_reply(rpc, json("{'locked':true}"), json_incref(m->id));
    } else if (!strcmp(m->method, "monitor_cond_since") && !f->lacks_since) {
        jsonrpc_reply(rpc, json("[false,'" U3 "',{'Open_vSwitch':{'" U1 "':{'initial':{'next_cfg':4}}}}]"), json_incref(m->id));
    } else if (!strcmp(m->method, "monitor")) {
        jsonrpc_reply(rpc, json("{'Open_vSwitch':{'" U1 "':{'new':{'next_cfg':4}}}}"), json_incref(m->id));
    } else if (!strcmp(m->method, "transact")) {
        f->n_transactions++;
        jsonrpc_reply(rpc, json("[{},{'count':1}]"), json_incref(m->id));
    } else {
        jsonrpc_error(rpc, json_string("unknown method"), json_incref(m->id));
    }
}

static void
fake_closed(struct jsonrpc *rpc, int error, void *fake_)
{
    struct fake *f = fake_;

    jsonrpc_close(rpc);
    f->rpc = NULL;
}

static void
fake_accept(struct stream *s, void *fake_)
{
    static const struct jsonrpc_ops ops = {NULL, fake_received, fake_closed};
    struct fake *f = fake_;

    f->n_connections++;
    f->rpc = jsonrpc_create(s, 1 << 20, &ops, f);
}

static void
done(int error, const char *why, void *loop)
{
    loop_stop(loop, error);
}

static void
changed(void *fake_)
{
    struct fake *f = fake_;
    const struct ovsdb_row *row = replica_next(replica_table(ovsdb_replica(f->db), "Open_vSwitch"), NULL);
    struct ovsdb_txn *txn;
    int64_t next_cfg;

    if (!ovsdb_connected(f->db) || !ovsdb_has_lock(f->db) || f->n_transactions) {
        return;
    }
    assert_true(row && row_integer(row, "next_cfg", &next_cfg) && next_cfg == 4);
    txn = ovsdb_txn_create(f->db);
    ovsdb_txn_update(txn, row, "next_cfg", json_integer(5));
    assert_false(ovsdb_txn_is_empty(txn));
    ovsdb_txn_commit(txn, done, f->loop);
}

static void
run_client(bool lacks_since)
{
    static const struct ovsdb_ops ops = {changed};
    struct fake f = {.loop = loop_create(), .lacks_since = lacks_since};
    char dir[] = "/tmp/test_ovsdb.XXXXXX", *path, *name, *error = NULL;

    assert_non_null(mkdtemp(dir));
    path = xasprintf("punix:%s/db.sock", dir);
    name = xasprintf("unix:%s/db.sock", dir);
    assert_int_equal(stream_listen(f.loop, path, 0, fake_accept, &f, &f.listener, &error), 0);
    assert_int_equal(ovsdb_create(f.loop, name, "Open_vSwitch", vswitch_tables, n_vswitch_tables, "l", &ops, &f, &f.db, &error), 0);
    assert_int_equal(loop_run(f.loop), 0);
    assert_int_equal(f.n_transactions, 1);
    ovsdb_destroy(f.db);
    if (f.rpc) {
        jsonrpc_close(f.rpc);
    }
    stream_listener_close(f.listener);
    loop_destroy(f.loop);
    free(path);
    free(name);
    rmdir(dir);
}

static void
test_client(void **state)
{
    run_client(false);
}

static void
test_client_of_old_server(void **state)
{
    run_client(true);
}

static void
test_bad_remotes(void **state)
{
    static const char *const bad[] = {"", "db.sock", "punix:x", "unix:x,nonsense"};
    static const struct ovsdb_ops ops = {changed};
    struct loop *loop = loop_create();

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct ovsdb *db;
        char *error = NULL;

        assert_int_equal(ovsdb_create(loop, bad[i], "D", vswitch_tables, n_vswitch_tables, NULL, &ops, NULL, &db, &error), -EINVAL);
        assert_non_null(error);
        free(error);
    }
    loop_destroy(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_canonical_form), cmocka_unit_test(test_differences), cmocka_unit_test(test_updates),
        cmocka_unit_test(test_snapshot),       cmocka_unit_test(test_desired),     cmocka_unit_test(test_client),
        cmocka_unit_test(test_client_of_old_server), cmocka_unit_test(test_bad_remotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
