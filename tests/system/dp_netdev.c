// SPDX-License-Identifier: Apache-2.0
// struct netdevs against the running kernel. Wants root and a network namespace to itself: run it in
// utilities/lab.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>
#include "lib/base/rcu.h"
#include "lib/dp/netdev.h"
#include "tests/system/wire.h"

struct lab {
    struct loop *loop;
    struct netdevs *netdevs;
    unsigned changed, gone;
    const char *wait_gone;
};

static void
on_change(const struct netdev_info *info, bool gone, void *arg)
{
    struct lab *lab = arg;

    if (!strncmp(info->name, "nd", 2)) {
        lab->changed += !gone;
        lab->gone += gone;
    }
    if (gone && lab->wait_gone && !strcmp(info->name, lab->wait_gone)) {
        loop_stop(lab->loop, 0);
    }
}

static int
set_up(void **state)
{
    struct lab *lab = xzalloc(sizeof *lab);
    char *error = NULL;

    rcu_thread_register();
    lab->loop = loop_create();
    lab->netdevs = netdevs_create(lab->loop, &error);
    assert_non_null(lab->netdevs);
    netdevs_watch(lab->netdevs, on_change, lab);
    *state = lab;
    return 0;
}

static int
tear_down(void **state)
{
    struct lab *lab = *state;

    netdevs_destroy(lab->netdevs);
    loop_destroy(lab->loop);
    free(lab);
    return 0;
}

static void
devices_come_change_and_go(void **state)
{
    struct lab *lab = *state;
    struct eth_addr mac = {{2, 0, 0, 0, 0, 0x55}};
    const struct netdev_info *info;
    struct netdev_stats stats;
    int ifindex;

    assert_null(netdev_by_name(lab->netdevs, "nd0"));
    run("ip link add nd0 type veth peer name nd1");
    info = netdev_by_name(lab->netdevs, "nd0");
    assert_non_null(info);
    ifindex = info->ifindex;
    assert_string_equal(info->kind, "veth");
    assert_false(info->admin_up);
    assert_int_equal(info->mtu, 1500);
    assert_int_equal(info->speed_bps, UINT64_C(10000000000));
    assert_int_equal(info->duplex, 1);

    assert_int_equal(netdev_set_mtu(lab->netdevs, "nd0", 1400), 0);
    assert_int_equal(netdev_set_mac(lab->netdevs, "nd0", mac), 0);
    assert_int_equal(netdev_set_up(lab->netdevs, "nd0", true), 0);
    run("ip link set nd1 name nd2");
    assert_non_null(netdev_by_name(lab->netdevs, "nd2"));
    assert_null(netdev_by_name(lab->netdevs, "nd1"));
    info = netdev_by_ifindex(lab->netdevs, ifindex);
    assert_int_equal(info->mtu, 1400);
    assert_true(eth_addr_equals(info->mac, mac));
    assert_true(info->admin_up);
    assert_int_equal(netdev_set_mtu(lab->netdevs, "nosuch", 1400), -ENODEV);
    assert_int_not_equal(netdev_set_mtu(lab->netdevs, "nd0", 1), 0);
    assert_int_equal(netdev_get_stats(lab->netdevs, "nd0", &stats), 0);

    run("ip link del nd0");
    lab->wait_gone = "nd0";
    assert_int_equal(loop_run(lab->loop), 0);
    assert_null(netdev_by_name(lab->netdevs, "nd0"));
    assert_null(netdev_by_ifindex(lab->netdevs, ifindex));
    assert_true(lab->gone >= 1);
}

static void
drivers_and_all_counters(void **state)
{
    struct lab *lab = *state;
    struct netdev_info info = {.ifindex = 0};
    struct netdev_stats one, held;
    int fd;

    run("ping -qc1 127.0.0.1 > /dev/null");
    netdevs_stats_begin(lab->netdevs, 1000);
    assert_int_equal(netdev_get_stats(lab->netdevs, "lo", &held), 0);
    run("ping -qc1 127.0.0.1 > /dev/null");
    assert_int_equal(netdev_get_stats(lab->netdevs, "lo", &one), 0);
    assert_memory_equal(&one, &held, sizeof one);
    netdevs_stats_end(lab->netdevs);
    assert_int_equal(netdev_get_stats(lab->netdevs, "lo", &one), 0);
    assert_true(held.rx_packets > 0 && one.rx_packets > held.rx_packets);
    assert_int_equal(netdev_tap_open("ndtap", &fd), 0);
    assert_string_equal(netdev_by_name(lab->netdevs, "ndtap")->kind, "tun");
    assert_int_equal(netdev_get_driver(lab->netdevs, "ndtap", &info), 0);
    assert_string_equal(info.driver, "tun");
    close(fd);
}

static int
police(struct lab *lab, uint32_t kbps, uint32_t kburst, uint32_t kpps, uint32_t kpkts_burst)
{
    return netdev_set_policing(lab->netdevs, "ndp", &(struct dp_police){kbps, kburst, kpps, kpkts_burst});
}

static void
policing_comes_and_goes(void **state)
{
    struct lab *lab = *state;

    run("ip link add ndp type dummy");
    assert_int_equal(police(lab, 8000, 800, 0, 0), 0);
    run("tc filter show dev ndp ingress | grep -q 'police.*rate 8Mbit'");
    assert_int_equal(police(lab, 16000, 800, 5, 5), 0);
    run("tc filter show dev ndp ingress | grep -q 'police.*rate 16Mbit'");
    run("tc filter show dev ndp ingress | grep -q 'police.*pkts_rate 5000'");
    assert_int_equal(police(lab, 0, 0, 0, 0), 0);
    run("! tc qdisc show dev ndp | grep -q ingress");
    /* Somebody else's hook and filter stay. */
    run("tc qdisc add dev ndp clsact && tc filter add dev ndp ingress prio 7 matchall action pass");
    assert_int_equal(police(lab, 8000, 800, 0, 0), 0);
    assert_int_equal(police(lab, 0, 0, 0, 0), 0);
    run("tc filter show dev ndp ingress | grep -q 'pref 7 matchall'");
    assert_int_equal(police(lab, 0, 0, 0, 0), 0);
    run("ip link del ndp");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_come_change_and_go),
        cmocka_unit_test(drivers_and_all_counters),
        cmocka_unit_test(policing_comes_and_goes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
