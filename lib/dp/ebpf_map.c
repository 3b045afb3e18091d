// SPDX-License-Identifier: Apache-2.0
// The programs and maps of the eBPF datapath: the object that the build compiled, loaded by libbpf.
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/ebpf.skel.h"

#define BPFFS "/sys/fs/bpf"

static int print_to_log(enum libbpf_print_level, const char *format, va_list) __attribute__((format(printf, 2, 0)));

static int
print_to_log(enum libbpf_print_level level, const char *format, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    if (level == LIBBPF_WARN) {
        log_info(LOG_dp_ebpf, "libbpf: %s", text); /* Who called it knows whether it is worth a warning. */
    } else {
        log_dbg(LOG_dp_ebpf, "libbpf: %s", text);
    }
    return 0;
}

/* Four chains for each flow: most tuples that a packet's flow is not in have none to look at. */
static uint32_t
n_heads_for(uint32_t n_slots)
{
    return ebpf_doubled(EBPF_HEADS, 4 * n_slots);
}

/* A quarter of the flows: those that are busy at a time. */
static uint32_t
n_fronts_for(uint32_t n_slots)
{
    return ebpf_doubled(64, MIN(n_slots / 4, EBPF_MAX_FRONTS));
}

/* The sizes that depend on the host or are ours to choose. */
static int
size_maps(struct ebpf *e)
{
    const struct ebpf_bpf *b = e->programs;
    const struct {
        struct bpf_map *map;
        uint32_t n;
    } sizes[] = {
        {b->maps.flows, e->table.n_slots},
        {b->maps.states, e->table.n_slots},
        {b->maps.ufids, e->table.n_slots},
        {b->maps.counters, e->table.n_slots * e->n_cpus},
        {b->maps.heads, e->table.n_heads / EBPF_HEADS},
        {b->maps.acts, e->settings.ebpf_actions},
        {b->maps.caches, e->n_cpus},
        {b->maps.fronts, e->n_cpus * n_fronts_for(e->table.n_slots)},
        {b->maps.buffers, e->n_cpus},
    };
    int error = 0;

    for (size_t i = 0; i < ARRAY_SIZE(sizes) && !error; i++) {
        error = bpf_map__set_max_entries(sizes[i].map, sizes[i].n);
    }
    return error;
}

static size_t
shared_size(const struct bpf_map *map)
{
    return ROUND_UP((size_t) bpf_map__value_size(map), 8) * bpf_map__max_entries(map);
}

/* The map's memory; '*error' is set where that fails. */
static void *
share(const struct bpf_map *map, int *error)
{
    void *p = mmap(NULL, shared_size(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    if (p == MAP_FAILED) {
        *error = -errno;
        p = NULL;
    }
    return p;
}

static void
end_share(const struct bpf_map *map, void *p)
{
    if (p) {
        munmap(p, shared_size(map));
    }
}

static int
share_all(struct ebpf *e)
{
    const struct ebpf_bpf *b = e->programs;
    int error = 0;

    e->config = share(b->maps.config_map, &error);
    e->ports = share(b->maps.ports, &error);
    e->meters = share(b->maps.meters, &error);
    e->table.flows = share(b->maps.flows, &error);
    e->table.states = share(b->maps.states, &error);
    e->table.ufids = share(b->maps.ufids, &error);
    e->table.counters = share(b->maps.counters, &error);
    e->table.heads = share(b->maps.heads, &error);
    e->table.masks = share(b->maps.masks, &error);
    e->table.acts = share(b->maps.acts, &error);
    return error;
}

static void
end_all_shares(struct ebpf *e)
{
    const struct ebpf_bpf *b = e->programs;

    end_share(b->maps.config_map, e->config);
    end_share(b->maps.ports, e->ports);
    end_share(b->maps.meters, e->meters);
    end_share(b->maps.flows, e->table.flows);
    end_share(b->maps.states, e->table.states);
    end_share(b->maps.ufids, e->table.ufids);
    end_share(b->maps.counters, e->table.counters);
    end_share(b->maps.heads, e->table.heads);
    end_share(b->maps.masks, e->table.masks);
    end_share(b->maps.acts, e->table.acts);
    e->config = NULL;
    e->ports = NULL;
    e->meters = NULL;
    e->table = (struct ebpf_table){.n_slots = e->table.n_slots, .n_heads = e->table.n_heads};
}

/* Is there a bpffs at the usual place? If not, one is mounted there, as other users of eBPF do. 0 or -errno. */
static int
find_bpffs(void)
{
    struct statfs fs;

    if (statfs(BPFFS, &fs)) {
        return -errno;
    }
    return fs.f_type == BPF_FS_MAGIC || !mount("bpf", BPFFS, "bpf", 0, "mode=0700") ? 0 : -errno;
}

/* By the run directory, of which each daemon has its own: dots are not allowed there. NULL, with errno and '*why': there can be none. */
static char *
pin_folder(const struct ebpf *e, char **why)
{
    char *path;
    int error = find_bpffs();

    if (error) {
        *why = xasprintf("the maps cannot be pinned: there is no bpffs at " BPFFS ", and none can be mounted there (%s)", errno_text(error));
        errno = -error;
        return NULL;
    }
    path = xasprintf(BPFFS "/sluice%s_%s", dirs_run(), e->user.dp.name);
    for (char *p = path + strlen(BPFFS) + 1; *p; p++) {
        *p = *p == '/' || *p == '.' ? '_' : *p;
    }
    if (mkdir(path, 0700) && errno != EEXIST) {
        error = -errno;
        *why = xasprintf("the maps cannot be pinned: %s cannot be made (%s)", path, errno_text(error));
        free(path);
        errno = -error;
        return NULL;
    }
    return path;
}

static char *
pin_of(const struct ebpf *e, const struct bpf_map *map)
{
    return xasprintf("%s/%s", e->pins, bpf_map__name(map));
}

/* Maps that are pinned there are taken, others pinned. */
static int
set_pins(struct ebpf *e)
{
    struct bpf_map *map;
    int error = 0;

    bpf_object__for_each_map (map, e->programs->obj) {
        if (!error && !bpf_map__is_internal(map)) {
            char *path = pin_of(e, map);

            error = bpf_map__set_pin_path(map, path);
            free(path);
        }
    }
    return error;
}

static void
remove_pins(const struct ebpf *e)
{
    struct bpf_map *map;

    bpf_object__for_each_map (map, e->programs->obj) {
        char *path = pin_of(e, map);

        unlink(path);
        free(path);
    }
}

static void
unload(struct ebpf *e)
{
    if (e->programs) {
        end_all_shares(e);
    }
    ebpf_bpf__destroy(e->programs);
    e->programs = NULL;
}

static int
set_program(const struct ebpf *e, uint32_t which, const struct bpf_program *p)
{
    uint32_t fd = (uint32_t) bpf_program__fd(p);

    return bpf_map_update_elem(bpf_map__fd(e->programs->maps.programs), &which, &fd, BPF_ANY);
}

static int
load(struct ebpf *e)
{
    int error;

    e->programs = ebpf_bpf__open();
    if (!e->programs) {
        return -errno;
    }
    error = size_maps(e);
    error = error ? error : set_pins(e);
    error = error ? error : ebpf_bpf__load(e->programs);
    if (error) {
        return error;
    }
    error = share_all(e);
    if (error) {
        return error;
    }
    if (e->config->abi && e->config->abi != EBPF_ABI) {
        return -EPROTO;
    }
    error = set_program(e, EBPF_PROGRAM_AGAIN, e->programs->progs.sluice_again);
    return error ? error : set_program(e, EBPF_PROGRAM_EXECUTE, e->programs->progs.sluice_execute);
}

/* New maps. */
static int
prepare(struct ebpf *e)
{
    if (getrandom(e->config->secrets, sizeof e->config->secrets, 0) != (ssize_t) sizeof e->config->secrets) {
        return -errno;
    }
    e->config->n_slots = e->table.n_slots;
    e->config->n_heads = e->table.n_heads;
    e->config->n_fronts = n_fronts_for(e->table.n_slots);
    __atomic_store_n(&e->config->abi, EBPF_ABI, __ATOMIC_RELEASE);
    return 0;
}

int
ebpf_load(struct ebpf *e, char **why)
{
    int error = libbpf_num_possible_cpus();

    libbpf_set_print(print_to_log);
    if (error < 0) {
        return error;
    }
    e->n_cpus = (unsigned) error;
    e->table.n_slots = e->settings.ebpf_flows;
    e->table.n_heads = n_heads_for(e->table.n_slots);
    e->pins = pin_folder(e, why);
    if (!e->pins) {
        return -errno;
    }
    error = load(e);
    if (error && error != -EPERM && e->programs) {
        log_info(LOG_dp_ebpf, "%s: what an earlier daemon left is not of use (%s)", e->user.dp.name, errno_text(error));
        remove_pins(e);
        unload(e);
        error = load(e);
    }
    if (!error) {
        e->adopted = e->config->abi == EBPF_ABI;
        error = e->adopted ? 0 : prepare(e);
    }
    if (error) {
        if (error != -EPERM && e->programs) {
            remove_pins(e);
        }
        rmdir(e->pins);
        *why = xasprintf("the eBPF programs could not be loaded with maps for %u flows and %u actions (%s)", e->settings.ebpf_flows,
                         e->settings.ebpf_actions, errno_text(error));
        return error;
    }
    snprintf(e->config->owner, sizeof e->config->owner, "%s", e->pins);
    return 0;
}

void
ebpf_unload(struct ebpf *e, bool destroy)
{
    if (destroy && e->programs) {
        remove_pins(e);
        rmdir(e->pins);
    }
    unload(e);
    free(e->pins);
}

int
ebpf_program_fd(const struct ebpf *e)
{
    return bpf_program__fd(e->programs->progs.sluice_port);
}

int
ebpf_map_rings(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.rings);
}

int
ebpf_map_ifindexes(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.ifindexes);
}

int
ebpf_map_polices(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.polices);
}

/* Of all processors. */
static uint64_t
sum_of(const struct ebpf *e, const struct bpf_map *map, uint32_t key)
{
    uint64_t *values = xcalloc(e->n_cpus, sizeof *values), sum = 0;

    if (!bpf_map_lookup_elem(bpf_map__fd(map), &key, values)) {
        for (unsigned i = 0; i < e->n_cpus; i++) {
            sum += values[i];
        }
    }
    free(values);
    return sum;
}

uint64_t
ebpf_total(const struct ebpf *e, enum ebpf_total which)
{
    return sum_of(e, e->programs->maps.totals, which);
}

uint64_t
ebpf_mask_hits(const struct ebpf *e, uint32_t mask)
{
    return sum_of(e, e->programs->maps.mask_hits, mask);
}

/* As proc(5) says of a descriptor of a map: "memlock:", in bytes. */
static uint64_t
memory_of(int fd)
{
    char *path = xasprintf("/proc/self/fdinfo/%d", fd), line[128];
    FILE *f = fopen(path, "re");
    unsigned long long bytes = 0;

    while (f && fgets(line, sizeof line, f) && sscanf(line, "memlock: %llu", &bytes) != 1) {
        continue;
    }
    if (f) {
        fclose(f);
    }
    free(path);
    return bytes;
}

uint64_t
ebpf_kernel_memory(const struct dp *dp)
{
    const struct ebpf *e = ebpf_cast(dp);
    struct bpf_map *map;
    uint64_t sum = 0;

    bpf_object__for_each_map (map, e->programs->obj) {
        sum += memory_of(bpf_map__fd(map));
    }
    for (unsigned i = 0; i < e->n_rings; i++) {
        sum += memory_of(e->ring_fds[i]);
    }
    return sum;
}
