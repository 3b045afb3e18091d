// SPDX-License-Identifier: Apache-2.0
// The programs and maps of the eBPF datapath: the object that the build compiled, loaded by libbpf.
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/ebpf.skel.h"

static int
print_to_log(enum libbpf_print_level level, const char *format, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_dbg(LOG_dp_ebpf, "libbpf: %s", text);
    return 0;
}

/* The sizes that depend on the host or are ours to choose. */
static int
size_maps(struct ebpf *e)
{
    struct ebpf_bpf *b = e->programs;
    int error = bpf_map__set_max_entries(b->maps.flows, EBPF_MAX_FLOWS);

    error = error ? error : bpf_map__set_max_entries(b->maps.counters, EBPF_MAX_FLOWS);
    error = error ? error : bpf_map__set_max_entries(b->maps.acts, EBPF_MAX_ACTS_ALL);
    return error ? error : bpf_map__set_max_entries(b->maps.buffers, e->n_cpus);
}

static void *
share(const struct bpf_map *map, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    return p == MAP_FAILED ? NULL : p;
}

static size_t
ports_size(void)
{
    return EBPF_MAX_PORTS * sizeof(struct ebpf_port_value);
}

int
ebpf_load(struct ebpf *e)
{
    uint32_t zero = 0, again;
    int error;

    libbpf_set_print(print_to_log);
    error = libbpf_num_possible_cpus();
    if (error < 0) {
        return error;
    }
    e->n_cpus = (unsigned) error;
    e->programs = ebpf_bpf__open();
    if (!e->programs) {
        return -errno;
    }
    error = size_maps(e);
    error = error ? error : ebpf_bpf__load(e->programs);
    if (error) {
        return error;
    }
    e->config = share(e->programs->maps.config_map, sizeof *e->config);
    e->ports = share(e->programs->maps.ports, ports_size());
    if (!e->config || !e->ports) {
        return -ENOMEM;
    }
    again = (uint32_t) bpf_program__fd(e->programs->progs.sluice_again);
    return bpf_map_update_elem(bpf_map__fd(e->programs->maps.programs), &zero, &again, BPF_ANY);
}

void
ebpf_unload(struct ebpf *e)
{
    if (e->config) {
        munmap(e->config, sizeof *e->config);
    }
    if (e->ports) {
        munmap(e->ports, ports_size());
    }
    ebpf_bpf__destroy(e->programs);
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
ebpf_map_masks(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.masks);
}

int
ebpf_map_flows(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.flows);
}

int
ebpf_map_acts(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.acts);
}

int
ebpf_map_counters(const struct ebpf *e)
{
    return bpf_map__fd(e->programs->maps.counters);
}

uint64_t
ebpf_total(const struct ebpf *e, enum ebpf_total which)
{
    uint64_t *values = xcalloc(e->n_cpus, sizeof *values), sum = 0;
    uint32_t key = which;

    if (!bpf_map_lookup_elem(bpf_map__fd(e->programs->maps.totals), &key, values)) {
        for (unsigned i = 0; i < e->n_cpus; i++) {
            sum += values[i];
        }
    }
    free(values);
    return sum;
}
