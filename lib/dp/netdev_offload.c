// SPDX-License-Identifier: Apache-2.0
// What a device does for its packets, by the names that ethtool -k shows: include/uapi/linux/ethtool.h.
#include <config.h>
#include "lib/dp/netdev_private.h"

#include <linux/ethtool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FEATURES 256 /* 64 or so there are. */

/* Two requests that end in arrays have room for so many here. */
union request {
    struct ethtool_sset_info sets;
    struct ethtool_gstrings names;
    struct ethtool_sfeatures change;
    struct ethtool_gfeatures state;
    uint8_t room[sizeof(struct ethtool_gstrings) + MAX_FEATURES * ETH_GSTRING_LEN];
};

/* How many features there are; their names are in 'r' then. */
static int
read_names(int fd, const char *device, union request *r, uint32_t *n)
{
    int error;

    *r = (union request){.sets = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_FEATURES}};
    error = netdev_ethtool(fd, device, r);
    if (error) {
        return error;
    }
    memcpy(n, r->room + sizeof r->sets, sizeof *n);
    if (!r->sets.sset_mask || *n > MAX_FEATURES) {
        return -EOPNOTSUPP;
    }
    *r = (union request){.names = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = *n}};
    return netdev_ethtool(fd, device, r);
}

/* Bits of the features 'names' among those of 'r'. */
static void
find_bits(const union request *r, uint32_t n, const char *const *names, size_t n_names, uint32_t bits[MAX_FEATURES / 32])
{
    for (uint32_t i = 0; i < n; i++) {
        const char *name = (const char *) r->room + sizeof r->names + (size_t) i * ETH_GSTRING_LEN;

        for (size_t j = 0; j < n_names; j++) {
            if (!strncmp(name, names[j], ETH_GSTRING_LEN)) {
                bits[i / 32] |= 1u << i % 32;
            }
        }
    }
}

/* Those that the device has on although they were turned off. */
static int
turn_off(int fd, const char *device, union request *r, uint32_t n_blocks, const uint32_t *bits)
{
    struct ethtool_set_features_block *change = (void *) (r->room + sizeof r->change);
    const struct ethtool_get_features_block *state = (const void *) (r->room + sizeof r->state);
    int error;

    *r = (union request){.change = {.cmd = ETHTOOL_SFEATURES, .size = n_blocks}};
    for (uint32_t i = 0; i < n_blocks; i++) {
        change[i].valid = bits[i];
    }
    error = netdev_ethtool(fd, device, r);
    if (error) {
        return error;
    }
    *r = (union request){.state = {.cmd = ETHTOOL_GFEATURES, .size = n_blocks}};
    error = netdev_ethtool(fd, device, r);
    for (uint32_t i = 0; i < n_blocks && !error; i++) {
        error = state[i].active & bits[i] ? -EOPNOTSUPP : 0;
    }
    return error;
}

int
netdev_turn_off(const char *device, const char *const *features, size_t n)
{
    uint32_t bits[MAX_FEATURES / 32] = {0}, n_features;
    union request *r = xmalloc(sizeof *r);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = fd < 0 ? -errno : 0;

    error = error ? error : read_names(fd, device, r, &n_features);
    if (!error) {
        find_bits(r, n_features, features, n, bits);
        error = turn_off(fd, device, r, DIV_ROUND_UP(n_features, 32), bits);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(r);
    return error;
}
