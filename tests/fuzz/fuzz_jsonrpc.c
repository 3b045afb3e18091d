// SPDX-License-Identifier: Apache-2.0
// The JSON splitter and the messages that come out of it. The first byte says how the stream is cut: the same
// values must come out as of the whole.
#include <config.h>
#include <stdlib.h>
#include "lib/base/jsonrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    unsigned n_values, n_messages;
    int error;
};

static void
got(json_t *json, void *outcome_)
{
    struct outcome *outcome = outcome_;
    struct jsonrpc_msg m;
    const char *why;

    outcome->n_values++;
    if (!jsonrpc_msg_from_json(json, &m, &why)) {
        outcome->n_messages++;
        jsonrpc_msg_clear(&m);
    }
    json_decref(json);
}

static struct outcome
feed(const uint8_t *data, size_t size, size_t cut)
{
    struct json_splitter splitter = {0};
    struct outcome outcome = {0};

    for (size_t at = 0; at < size && !outcome.error; at += cut) {
        outcome.error =
            json_splitter_feed(&splitter, slice_of(data + at, MIN(cut, size - at)), 65536, got, &outcome);
    }
    json_splitter_clear(&splitter);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;

    if (size < 2 || size > 65536) {
        return 0;
    }
    whole = feed(data + 1, size - 1, size);
    cut = feed(data + 1, size - 1, data[0] % 16 + 1);
    if (whole.n_values != cut.n_values || whole.n_messages != cut.n_messages || whole.error != cut.error) {
        abort();
    }
    return 0;
}
