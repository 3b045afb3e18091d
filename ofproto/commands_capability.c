// SPDX-License-Identifier: Apache-2.0
// What sluicectl capabilities shows: what each tier of this host can match and do, and why not the rest.
#include <config.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/appctl.h"
#include "lib/dp/capability.h"
#include "lib/dp/kernel.h"
#include "ofproto/commands.h"
#include "ofproto/private.h"

#define LINE 110 /* Of text, in columns. */

static json_t *
answer_json(const char *why)
{
    return why ? json_string(why) : json_null();
}

/* Each field and action with null, or with why not. */
static json_t *
tier_json(enum capability_tier tier, struct dp *kernel)
{
    json_t *matches = json_object(), *actions = json_object();
    char why[CAPABILITY_WHY_MAX], *no = NULL;
    int error = capability_tier_probe(tier, &no);
    json_t *missing = answer_json(error ? no : NULL);

    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        if (capability_field_is_of_packets(f)) {
            json_object_set_new(matches, f->name, answer_json(capability_of_field(tier, f, kernel, why)));
        }
    }
    for (const char *const *a = capability_actions; *a; a++) {
        json_object_set_new(actions, *a, answer_json(capability_of_action(tier, *a, kernel, why)));
    }
    free(no);
    return json_pack("{s:o, s:o, s:o}", "missing", missing, "matches", matches, "actions", actions);
}

/* The eSwitch that the device is a port of, as sysfs names it; "" if it is of none. */
static void
read_eswitch(const char *device, char *id, size_t size)
{
    char *path = xasprintf("/sys/class/net/%s/phys_switch_id", device);
    FILE *f = fopen(path, "re");

    *id = '\0';
    if (f && fgets(id, (int) size, f)) {
        id[strcspn(id, "\n")] = '\0';
    }
    if (f) {
        fclose(f);
    }
    free(path);
}

/* Ports of an adapter, and the adapter: flows of TC are offered to it. */
static json_t *
devices_json(const struct ofproto *o)
{
    json_t *devices = json_object();
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        struct cds_lfht_iter iter;
        struct port *p;

        cds_lfht_for_each_entry (d->ports, &iter, p, dp_node) {
            char id[64];

            read_eswitch(p->name, id, sizeof id);
            if (*id) {
                json_object_set_new(devices, p->name, json_string(id));
            }
        }
    }
    return devices;
}

/* The answer that names no more than what was asked for: "match on dp_hash". */
static bool
is_bare(const char *why, const char *name)
{
    return (!strncmp(why, "match on ", 9) && !strcmp(why + 9, name)) || !strncmp(why, "action ", 7);
}

static bool
is_answer(json_t *answer, const char *name, const char *why)
{
    const char *is = json_string_value(answer);

    return !why ? !is : is && (*why ? !strcmp(is, why) : is_bare(is, name));
}

/* A paragraph of what has the answer 'why' (NULL: none, "": a bare one); nothing if there is none. */
static void
put_those(struct buf *text, const char *heading, json_t *answers, const char *why)
{
    size_t begin = text->len, line = text->len;
    const char *name;
    json_t *answer;

    json_object_foreach (answers, name, answer) {
        if (!is_answer(answer, name, why)) {
            continue;
        }
        if (text->len == begin) {
            buf_putf(text, why && *why ? "  %s (%s):" : "  %s:", heading, why);
        }
        if (text->len - line + strlen(name) > LINE) {
            line = text->len;
            buf_puts(text, "\n   ");
        }
        buf_putf(text, " %s", name);
    }
    buf_puts(text, text->len > begin ? "\n" : "");
}

static void
put_answers(struct buf *text, const char *can, const char *cannot, json_t *answers)
{
    json_t *said = json_object(), *answer;
    const char *name;

    put_those(text, can, answers, NULL);
    put_those(text, cannot, answers, "");
    json_object_foreach (answers, name, answer) {
        const char *why = json_string_value(answer);

        if (why && !is_bare(why, name) && !json_object_get(said, why)) {
            json_object_set_new(said, why, json_true());
            put_those(text, cannot, answers, why);
        }
    }
    json_decref(said);
}

static void
format_capabilities(json_t *all, struct buf *text)
{
    json_t *devices = json_object_get(all, "devices"), *id;
    const char *name;

    for (int tier = 0; tier < CAPABILITY_N_TIERS; tier++) {
        json_t *one = json_object_get(json_object_get(all, "tiers"), capability_tier_name((enum capability_tier) tier));
        const char *missing = json_string_value(json_object_get(one, "missing"));

        buf_putf(text, "%s:\n", capability_tier_name((enum capability_tier) tier));
        if (missing) {
            buf_putf(text, "  not here: %s\n", missing);
        } else {
            put_answers(text, "matches", "does not match", json_object_get(one, "matches"));
            put_answers(text, "does", "does not", json_object_get(one, "actions"));
        }
    }
    buf_puts(text, json_object_size(devices) ? "hw: what tc does, as far as the driver takes it, on\n" : "hw: no port is an adapter's\n");
    json_object_foreach (devices, name, id) {
        buf_putf(text, "  %s (eSwitch %s)\n", name, json_string_value(id));
    }
}

static void
cmd_capabilities(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct datapath *kernel = datapath_by_ops(o, &dp_kernel_ops);
    json_t *tiers = json_object();

    for (int tier = 0; tier < CAPABILITY_N_TIERS; tier++) {
        json_object_set_new(tiers, capability_tier_name((enum capability_tier) tier),
                            tier_json((enum capability_tier) tier, kernel ? kernel->dp : NULL));
    }
    commands_reply(request, argc, argv, json_pack("{s:o, s:o}", "tiers", tiers, "devices", devices_json(o)), format_capabilities);
}

void
commands_register_capabilities(struct ofproto *o)
{
    appctl_register("sluice/capabilities", "[--json]", 0, 1, cmd_capabilities, o);
}
