// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/of/of.h"

#include <ctype.h>
#include <stdlib.h>

static const struct {
    const char *name, *number;
} versions[] = {
    [OF10] = {"OpenFlow10", "1.0"}, [OF11] = {"OpenFlow11", "1.1"}, [OF12] = {"OpenFlow12", "1.2"},
    [OF13] = {"OpenFlow13", "1.3"}, [OF14] = {"OpenFlow14", "1.4"}, [OF15] = {"OpenFlow15", "1.5"},
};

const char *
of_version_name(enum of_version v)
{
    return v >= OF10 && v <= OF15 ? versions[v].name : "unknown";
}

enum of_version
of_version_by_name(const char *s)
{
    for (int v = OF10; v <= OF15; v++) {
        if (!strcasecmp(s, versions[v].name) || !strcmp(s, versions[v].number)) {
            return (enum of_version) v;
        }
    }
    return OF_NONE;
}

static const struct {
    const char *name;
    uint32_t port;
} reserved_ports[] = {
    {"UNSET", OFPP_UNSET},   {"IN_PORT", OFPP_IN_PORT}, {"TABLE", OFPP_TABLE},           {"NORMAL", OFPP_NORMAL},
    {"FLOOD", OFPP_FLOOD},   {"ALL", OFPP_ALL},         {"CONTROLLER", OFPP_CONTROLLER}, {"LOCAL", OFPP_LOCAL},
    {"ANY", OFPP_ANY},       {"NONE", OFPP_NONE},
};

/* Can a port's name stand in text without quotes? */
static bool
is_bare_word(const char *s)
{
    if (!isalpha((unsigned char) *s) && *s != '_') {
        return false;
    }
    for (; *s; s++) {
        if (!isalnum((unsigned char) *s) && !strchr("_-.", *s)) {
            return false;
        }
    }
    return true;
}

void
of_port_format(uint32_t port, const struct port_names *names, struct buf *b)
{
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++) {
        if (reserved_ports[i].port == port) {
            buf_puts(b, reserved_ports[i].name);
            return;
        }
    }
    name = names && names->name ? names->name(port, names->aux) : NULL;
    if (!name) {
        buf_putf(b, "%u", port);
    } else if (is_bare_word(name)) {
        buf_puts(b, name);
    } else {
        buf_putf(b, "\"%s\"", name);
    }
}

bool
of_port_parse(const char *s, const struct port_names *names, uint32_t *port)
{
    char *bare;
    size_t n = strlen(s);
    bool ok;

    if (!parse_u32(s, port)) {
        if (*port >= OFP10_PORT_MAX && *port <= UINT16_MAX) {
            *port = of_port_from_wire16(htons((uint16_t) *port));
        }
        return *port < OFP10_PORT_MAX || *port >= OFPP_MAX;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++) {
        if (!strcasecmp(s, reserved_ports[i].name)) {
            *port = reserved_ports[i].port;
            return true;
        }
    }
    if (!names || !names->number) {
        return false;
    }
    bare = n >= 2 && s[0] == '"' && s[n - 1] == '"' ? xstrndup(s + 1, n - 2) : xstrdup(s);
    ok = names->number(bare, port, names->aux);
    free(bare);
    return ok;
}

uint32_t
of_port_from_wire16(be16 wire)
{
    uint16_t port = ntohs(wire);

    return port < OFP10_PORT_MAX ? port : 0xffff0000u | port;
}

be16
of_port_to_wire16(uint32_t port)
{
    return htons((uint16_t) port);
}

bool
of_port_from_wire32(be32 wire, uint32_t *port)
{
    uint32_t n = ntohl(wire);

    if (n >= OFP10_PORT_MAX && n < OFPP_MAX) {
        return false;
    }
    *port = n;
    return true;
}
