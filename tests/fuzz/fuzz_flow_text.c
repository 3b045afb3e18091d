// SPDX-License-Identifier: Apache-2.0
// Text of matches, packets, datapath flows and actions. The first byte says which; what parses must print to
// text that parses to the same again.
#include <config.h>
#include <stdlib.h>
#include "lib/flow/action.h"
#include "lib/flow/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void
fuzz_match(const char *text)
{
    struct match m, again;
    struct buf b = BUF_EMPTY;
    unsigned priority;
    char *error = match_parse(text, NULL, &m, &priority);

    if (!error) {
        match_format(&m, (int) priority, NULL, &b);
        error = match_parse(buf_text(&b), NULL, &again, &priority);
        check(!error);
    }
    free(error);
    buf_free(&b);
}

static void
fuzz_key(const char *text)
{
    struct flow_key key;
    struct buf b = BUF_EMPTY;
    char *error = flow_key_parse(text, NULL, &key);

    if (!error) {
        flow_key_format(&key, NULL, &b);
    }
    free(error);
    buf_free(&b);
}

static void
fuzz_dp_match(const char *text)
{
    struct flow_key key, mask, key2, mask2;
    char *error = dp_match_parse(text, NULL, &key, &mask);

    for (int verbose = 0; !error && verbose < 2; verbose++) {
        struct buf b = BUF_EMPTY;

        dp_match_format(&key, &mask, NULL, verbose, &b);
        error = dp_match_parse(buf_text(&b), NULL, &key2, &mask2);
        check(!error);
        buf_free(&b);
    }
    free(error);
}

static void
fuzz_actions(const char *text)
{
    struct buf list = BUF_EMPTY, again = BUF_EMPTY, b = BUF_EMPTY, b2 = BUF_EMPTY;
    char *error = action_parse(text, NULL, &list);

    if (!error) {
        action_format(list.data, list.len, NULL, &b);
        error = action_parse(buf_text(&b), NULL, &again);
        check(!error);
        action_format(again.data, again.len, NULL, &b2);
        check(!strcmp(buf_text(&b), buf_text(&b2)));
    }
    free(error);
    buf_free(&list);
    buf_free(&again);
    buf_free(&b);
    buf_free(&b2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (!size || size > 4096) {
        return 0;
    }
    text = xstrndup((const char *) data + 1, size - 1);
    switch (data[0] & 3) {
    case 0:
        fuzz_match(text);
        break;
    case 1:
        fuzz_key(text);
        break;
    case 2:
        fuzz_dp_match(text);
        break;
    default:
        fuzz_actions(text);
        break;
    }
    free(text);
    return 0;
}
